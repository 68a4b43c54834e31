"""`pixelbench …`: the commands, and what becomes of mistakes.

Exit codes: 0 fine (also when nothing is left to do), 1 some run failed or diverged, or a leak that the suite does not declare, 2 wrong use,
3 nothing matched, 4 a regression, 130 interrupted with Ctrl-C.
"""

import os
import sys
from collections.abc import Sequence
from typing import cast

import typer

from pixelbench.cli import ablate, check, compare, doctor, fetch, list, plan, report, run, sample, show, status, verify
from pixelbench.cli.faults import DISK
from pixelbench.cli.output import FINE, INTERRUPTED, NOTHING, WRONG_USE
from pixelbench.errors import NothingMatched, UserError
from pixelbench.visible import visible

app = typer.Typer(
    name="pixelbench",
    help="Is it really causal, and does it really reach that number? Trains, checks and compares autoregressive image models.",
    epilog="Start with: pixelbench run --suite quick",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (run, ablate, plan, report, compare, check, list, show, fetch, status, doctor, sample, verify):
    command.register(app)

#: click's base of everything wrong with a command line; typer carries its own copy of click, so it is reached through typer.
UsageFault = cast("type[Exception]", typer.BadParameter.__mro__[2])


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command line (that of the process by default) and exits with its code."""
    sys.exit(_guarded(arguments))


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
        return _nobody_reads()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # typer's answer to it, which would say that a run failed
            return _nobody_reads()
        raise
    except OSError as error:
        if error.errno not in DISK:
            raise
        where = f"'{error.filename}'" if error.filename else "the disk"
        return _complain(f"Cannot use {where}: {error.strerror}. Free or mend it, or choose another folder with --results DIR.")
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED


def _nobody_reads() -> int:
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
