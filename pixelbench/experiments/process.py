"""Work of ours in another Python process, which answers by lines of JSON: signs of progress, then a result or an error."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from pixelbench.errors import UserError

Answer = dict[str, Any]
#: Lines of what a process printed last that are shown.
_LINES = 5


def answers_of(
    module: str, arguments: Sequence[str], doing: str, environment: Mapping[str, str] | None = None
) -> Generator[Answer, None, None]:
    """The answers of `module.main(*arguments)`, executed by another process with this one's search path; closing it ends the process.

    Args:
        module: where `main` is.
        arguments: texts.
        doing: what the process does, for the error: `decodes the images`.
        environment: of the process; None is this one's.

    Raises:
        UserError: the process ended while answers were still asked for, with the last lines that it printed.
    """
    count = len(arguments) + 1
    start = f"import sys; sys.path[:] = sys.argv[{count}:]; from {module} import main; main(*sys.argv[1:{count}])"
    command = [sys.executable, "-P", "-c", start, *arguments, *(path or os.getcwd() for path in sys.path)]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=environment, text=True, start_new_session=True
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                yield json.loads(line)
            code = process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        errors.seek(0)
        said = " ".join(errors.read().decode(errors="replace").splitlines()[-_LINES:])
    raise UserError(f"The process that {doing} ended (exit code {code}){f': {said}' if said else ''}.")


def answering() -> Callable[[Answer], None]:
    """In the other process: what sends an answer. From now on, whatever prints to standard output prints to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a module of somebody's prints is no answer

    def tell(answer: Answer) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    return tell
