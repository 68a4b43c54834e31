"""The page of all commands, made from what Typer makes them of: `python -m pixelbench.cli.reference docs/commands.md`."""

import html
import inspect
import sys
import typing
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from typer.models import ArgumentInfo, CommandInfo, OptionInfo

from pixelbench.cli.main import app
from pixelbench.files.atomic import write_text

_HEAD = """\
# Commands

Made from the commands themselves by `python -m pixelbench.cli.reference docs/commands.md`; each says the same with `--help`.
Exit codes: 0 fine, also where nothing is left to do; 1 a run failed or diverged, or what was looked at does not hold, such as a leak or a
damaged record; 2 wrong use, in one sentence on standard error; 3 nothing matched; 4 `compare` or `bench` found a regression; 130, 143 and
129 ended by Ctrl-C, SIGTERM and SIGHUP. `--json` prints one JSON document on standard output and nothing else.
"""
#: A bar within a cell of a table.
_BAR = "&#124;"


def page() -> str:
    """All of it, as Markdown."""
    return "\n".join([_HEAD, *(line for command in app.registered_commands for line in _section(command))])


def _section(command: CommandInfo) -> Iterator[str]:
    function: Any = command.callback
    name = command.name or function.__name__
    hints, parameters = (
        typing.get_type_hints(function, include_extras=True),
        inspect.signature(function).parameters.values(),
    )
    arguments, options = [], []
    for parameter in parameters:
        kind, info = typing.get_args(hints[parameter.name])[:2]
        row = f"{_text(info.help)}{_default(parameter)} |"
        if isinstance(info, ArgumentInfo):
            called = info.metavar or parameter.name.upper()
            optional = parameter.default is not inspect.Parameter.empty and not called.startswith("[")
            arguments.append((f"[{called}]" if optional else called, row))
        elif not info.hidden:
            options.append((_spelled(parameter.name, kind, info), row))
    usage = " ".join(["pixelbench", name, *(called for called, _ in arguments), "[OPTIONS]"])
    yield f"## {name}\n\n```\n{usage}\n```\n\n{_text(function.__doc__)}\n"
    yield "\n".join(["| | |", "| --- | --- |", *(f"| {_code(called)} | {row}" for called, row in arguments + options), ""])
    examples = [line for part in (command.epilog or "").split("Example: ") if (line := part.strip())]
    if examples:
        yield "\n".join(["```", *examples, "```", ""])


def _spelled(name: str, kind: Any, info: OptionInfo) -> str:
    """All spellings of an option, and what it takes."""
    said = [info.default.strip(" /")] if isinstance(info.default, str) and "--" in info.default else []  # typer takes the first one for it
    spellings = ", ".join([*said, *(info.param_decls or ())] or [f"--{name.replace('_', '-')}"])
    taken = [part for part in (typing.get_args(kind) or (kind,)) if part is not type(None)]
    if taken == [bool]:
        return spellings
    choices = "|".join(str(choice.value) for choice in taken[0]) if isinstance(taken[0], type) and issubclass(taken[0], Enum) else None
    return f"{spellings} {info.metavar or choices or taken[0].__name__.upper()}".replace("INT", "INTEGER").replace("STR", "TEXT")


def _default(parameter: inspect.Parameter) -> str:
    default = parameter.default
    plain = getattr(default, "value", default)
    unsaid = default is inspect.Parameter.empty or plain is None or isinstance(plain, bool) or plain in ((), [])
    return "" if unsaid else f" Default: `{plain}`."


def _code(text: str) -> str:
    """As code in a cell: GitHub ends the cell at a bare bar, the site shows the backslash of an escaped one."""
    return f"<code>{html.escape(text)}</code>".replace("|", _BAR) if "|" in text else f"`{text}`"


def _text(text: str | None) -> str:
    """On one line, and as it is but for code: no Markdown, no bar of a table."""
    parts = " ".join(inspect.cleandoc(text or "").split()).replace("|", _BAR).split("`")
    return "`".join(
        "".join(f"\\{sign}" if sign in "*_<[" else sign for sign in part) if i % 2 == 0 else part for i, part in enumerate(parts)
    )


if __name__ == "__main__":
    write_text(Path(sys.argv[1]), page())
