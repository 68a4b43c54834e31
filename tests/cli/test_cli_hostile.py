"""Stores, suites and events whose texts would like to command the terminal: every command shows them."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress, TextColumn

from pixelbench.cli import output
from pixelbench.cli.progress import Bars
from tests.cli.cli_stores import Pixelbench
from tests.support.hostile_store import COMMANDS, RAW, add_hostile, hostile
from tests.support.suite_file import TEXT


@pytest.mark.parametrize(
    "command",
    [
        ("report", "--results", "store", "--format", "terminal"),
        ("report", "--results", "store", "--json"),
        ("status", "--results", "store"),
        ("status", "--results", "store", "--json"),
        ("compare", "store", "other"),
        ("compare", "store", "other", "--json"),
        ("verify", "store"),
        ("sample", "nothing", "--results", "store"),
        ("plan", "--suite", "mine.toml", "--results", "store"),
        ("show", "mine.toml"),
        ("show", "mine.toml", "--resolved"),
        ("run", "--suite", "wrong.toml", "--results", "none"),
        ("check", hostile("nothing")),
        ("list", hostile("kind")),
    ],
)
def test_no_command_lets_them_through(pixelbench: Pixelbench, tmp_path: Path, command: tuple[str, ...]) -> None:
    for name in ("store", "other"):
        add_hostile(tmp_path / name)
    said, budget = json.dumps(hostile("said")), json.dumps(hostile("budget"))
    mine = TEXT.replace("[recipe]", f"description = {said}\n[budget.{budget}]\nupdates = 3\n[recipe]") + f"assumed = [{said}]\n"
    (tmp_path / "mine.toml").write_text(mine, encoding="utf-8")
    (tmp_path / "wrong.toml").write_text(mine + f"family2 = {said}\n[axes]\n{said} = [1]\n", encoding="utf-8")
    code, out, err = pixelbench(*command)
    assert code in (0, 1, 2, 3, 4)
    assert out + err
    assert not set(out + err) & set(RAW)
    if "--json" in command:
        assert set(RAW) & set("".join(_texts(json.loads(out))))  # the values themselves are whole


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in _texts(part)]
    return [text for part in value for text in _texts(part)] if isinstance(value, list) else [str(value)]


def test_bars_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The display's own escape sequences are there; those of the events are text, and so are marks of rich's."""
    console = output._console(file=io.StringIO(), force_terminal=True, width=300)
    with Progress(TextColumn("{task.description}", markup=False), TextColumn("{task.fields[note]}", markup=False), console=console) as bars:
        show = Bars(bars, hostile("suite"), 2)
        for event in ("start", "note", "end"):
            show({"event": event, "run": hostile("run"), "text": f"[/] {COMMANDS}", "status": "failed", "error": "[/red] error"})
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[" in written
    assert "]0;title\x07" not in written
    assert "\u202e" not in written
    assert r"\x1b]0;title\x07" in written
    assert "[/red] error" in written


def test_styles_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.text import Text

    monkeypatch.delenv("NO_COLOR", raising=False)
    console = output._console(file=io.StringIO(), force_terminal=True, color_system="standard", width=80)
    console.print(Text("red \x1b[32mgreen", style="red"))
    assert console.file.getvalue() == "\x1b[31mred \\x1b[32mgreen\x1b[0m\n"  # type: ignore[attr-defined]
