"""`pixelbench …`: the commands, and what becomes of errors.

Exit codes: 0 fine (also when nothing is left to do), 1 some run failed or diverged, or a leak that the suite does not declare, 2 wrong use,
3 nothing matched, 4 a regression, 130 interrupted with Ctrl-C, 143 by SIGTERM, 129 by SIGHUP, 140 by SIGUSR2.
"""

import contextlib
import inspect
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Annotated, cast

import typer

from pixelbench import __version__
from pixelbench.cli.arguments.flags import Command, Group
from pixelbench.cli.commands import (
    ablate,
    audit,
    bench,
    check,
    compare,
    compress,
    decompress,
    doctor,
    eval,
    fetch,
    fidelity,
    list,
    measure,
    plan,
    report,
    run,
    sample,
    sheet,
    show,
    status,
    verify,
)
from pixelbench.cli.faults import DISK
from pixelbench.cli.output import FINE, INTERRUPTED, NOTHING, WRONG_USE, ended_by
from pixelbench.errors import NothingMatched, UserError
from pixelbench.visible import visible


def _print_version(requested: bool) -> None:
    if requested:
        sys.stdout.write(f"pixelbench {__version__}\n")
        raise typer.Exit


app = typer.Typer(
    name="pixelbench",
    help="Is it really causal, and does it really reach that number? Trains, checks and compares autoregressive image models.",
    epilog="Start with: pixelbench run quick",
    cls=Group,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _app(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)] = False,
) -> None:
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


for command in (
    *(run, ablate, plan, report, compare, check, audit, eval, list, show, fetch, status, doctor),
    *(sample, sheet, measure, fidelity, compress, decompress, verify, bench),
):
    command.register(app)
for registered in app.registered_commands:
    paragraphs = inspect.cleandoc(registered.callback.__doc__ or "").split("\n\n") if registered.callback else []
    registered.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)  # the terminal breaks lines, not the source
    if registered.cls is None or not issubclass(registered.cls, Command):  # one of its own has what ours has
        registered.cls = Command

#: click's base of everything wrong with a command line; typer carries its own copy of click, so it is reached through typer.
UsageFault = cast("type[Exception]", typer.BadParameter.__mro__[2])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command line (that of the process by default) and exit with its code."""
    with _signals():
        code = _guarded(arguments)
    sys.exit(code)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """SIGTERM, SIGHUP and SIGUSR2 (a job's time is up) end the command with a code of their own wherever it is, with all that is cleaned
    up on the way out; a batch system's SIGUSR1 is no reason to end. Where somebody has other plans with them, they stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        raise SystemExit(ended_by(number))

    handlers = {signal.SIGTERM: end, signal.SIGHUP: end, signal.SIGUSR2: end, signal.SIGUSR1: signal.SIG_IGN}
    ours = {number: handler for number, handler in handlers.items() if signal.getsignal(number) is signal.SIG_DFL}
    for number, handler in ours.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _guarded(arguments: Sequence[str] | None) -> int:
    try:
        code = app(args=arguments, prog_name="pixelbench", standalone_mode=False) or 0
        sys.stdout.flush()
        return code
    except NothingMatched as error:
        return _complain(str(error), NOTHING)
    except UserError as error:
        return _complain(str(error))
    except UsageFault as error:
        return _complain(f"{_sentence(error)} See `{_command_path(error)} --help`.")
    except BrokenPipeError:
        return _broken_pipe()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer's answer to it, which would say that a run failed
            return _broken_pipe()
        raise
    except OSError as error:
        if error.errno not in DISK:
            raise
        where = f"'{error.filename}'" if error.filename else "the disk"
        return _complain(f"Cannot use {where}: {error.strerror}. Free or fix it, or choose another folder with --results DIR.")
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED


def _broken_pipe() -> int:
    """`pixelbench status | head`: no failure. What is still in the buffer must not be tried again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return FINE


def _complain(sentence: str, code: int = WRONG_USE) -> int:
    sys.stderr.write(visible(sentence.rstrip()) + "\n")
    return code


def _sentence(error: Exception) -> str:
    message = " ".join(error.format_message().split())  # type: ignore[attr-defined]
    return message if message.endswith((".", "?", "!", ")")) else f"{message}."


def _command_path(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "pixelbench"
