"""Fabricated stores for command lines: the runs that the quick suite asks for, as if they had been executed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pixelbench.experiments.code_digest import code_digest
from pixelbench.store.record import Provenance
from pixelbench.store.spec import RunSpec
from tests.support.record_factory import add_spec, folder_of

#: Runs a command line: exit code, stdout, stderr.
Pixelbench = Callable[..., tuple[int, str, str]]


def store_run(store: Path, spec: RunSpec, *, status: str = "done", **fields: Any) -> Path:
    """A run of `spec` with plausible numbers, made by the code as it is now; `fields` as `record_of` takes them. Returns its folder."""
    leaky = spec.expect == "leaky"
    bits = (0.001 if leaky else 1.5) if status == "done" else None
    fields = {"causal": "leaky" if leaky else None, "provenance": Provenance("cpu", code_digest(spec.family)), **fields}
    return folder_of(store, add_spec(store, spec, bits, status=status, **fields))


def only_json(text: str) -> dict[str, Any]:
    """The one JSON document that stdout must be."""
    return json.loads(text)


def loaded_after(arguments: list[str], names: tuple[str, ...], cwd: Path) -> str:
    """Which of `names` a command line has loaded, and its exit code."""
    program = (
        "import sys\nfrom pixelbench.cli.main import main\n"
        f"try:\n    main({arguments!r})\n"
        "except SystemExit as ended:\n"
        f"    print(ended.code, [name for name in {names!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=cwd)
    return done.stderr.splitlines()[-1]
