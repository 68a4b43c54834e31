"""Interpreters that need not import torch again: each is forked from one that has imported other people's packages, and nothing of ours.

What runs in one finds no `pixelbench` in `sys.modules`, and its own environment, folder and search path: a program as it starts, but for
the two to four seconds that imports take. A test of what is imported, or of how a process begins and ends, starts a real one.
"""

import importlib
import json
import os
import runpy
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

#: What our commands import sooner or later; what is not installed is left out.
PACKAGES = """torch torch._dynamo numpy pandas scipy.stats sklearn.datasets PIL.Image matplotlib.figure pydantic jinja2 typer rich.console
rich.progress safetensors.torch einops filelock pytest"""


@dataclass(frozen=True)
class Program:
    """`-c PROGRAM …` or `-m MODULE …`, as a Python with `path` before its own would run it, and the file for each of its streams."""

    arguments: list[str]
    cwd: str
    path: list[str]
    environment: dict[str, str]
    out: str
    err: str


class Warm:
    """An interpreter with the packages imported, which forks itself for each program."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process, self._folder = process, folder

    def run(self, *arguments: str, cwd: Path, path: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run a program and wait for its end."""
        out, err = self._folder / "out", self._folder / "err"
        program = Program(list(arguments), str(cwd), path, environment, str(out), str(err))
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asdict(program)) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(program.arguments, code, out.read_text(), err.read_text())


@contextmanager
def warm(folder: Path) -> Iterator[Warm]:
    """Start one, which ends with the block. `folder`: where the output of its children lies meanwhile."""
    with subprocess.Popen([sys.executable, __file__], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Warm(process, folder)


def serve() -> None:
    """Fork for each line of stdin, and say on stdout how the child ended."""
    for name in PACKAGES.split():
        with suppress(ImportError):
            importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            become(Program(**json.loads(line)))
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def become(program: Program) -> NoReturn:
    """Run it in this process, which then ends."""
    for descriptor, file in enumerate((os.devnull, program.out, program.err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC if descriptor else os.O_RDONLY), descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the inherited one has read ahead
    os.chdir(program.cwd)
    os.environ.clear()
    os.environ.update(program.environment)
    sys.path[:] = ["", *program.path, *sys.path[1:]]
    code = _executed(*program.arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _executed(kind: str, what: str, *arguments: str) -> int:
    """The exit code that an interpreter would end with."""
    sys.argv = ["-c" if kind == "-c" else what, *arguments]
    try:
        if kind == "-c":
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
        else:
            runpy.run_module(what, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
            return 1
        return ended.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve()
