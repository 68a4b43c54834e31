"""Slurm's commands as small scripts that answer what a test says and write down what they were asked."""

from pathlib import Path

import pytest

_SCRIPT = """#!/bin/sh
printf '%s\\n' "$0" "$@" "" >> {log}
cat <<'END'
{answer}
END
printf '%s' {error} >&2
exit {code}
"""


class FakeSlurm:
    """A folder of commands, first on the path."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.log = folder, folder / "asked"
        patch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        self.answers("sinfo", "node1|debug*|(null)\nnode2|gpu|gpu:a100:4")
        self.answers("scontrol", "MaxArraySize = 1001")
        self.answers("sbatch", "41;cluster")
        self.answers("squeue", "")

    def answers(self, name: str, answer: str, error: str = "", code: int = 0) -> None:
        script = self.folder / name
        quoted = "'" + error.replace("'", "") + "'"
        script.write_text(_SCRIPT.format(log=self.log, answer=answer, error=quoted, code=code))
        script.chmod(0o755)

    def asked(self, name: str) -> list[list[str]]:
        """The words of each call of a command."""
        calls = self.log.read_text().split("\n\n") if self.log.exists() else []
        words = [call.strip("\n").split("\n") for call in calls if call.strip()]
        return [call[1:] for call in words if Path(call[0]).name == name]
