"""A store whose every free text tries to do something: to a terminal, a page, a spreadsheet, a reader of another direction."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pixelbench.store.artifacts import NATS
from pixelbench.store.record import Diagnosis, Provenance, Record, Request, RunError
from tests.support.record_factory import add_spec, ask, leave, nats_around, nats_file, record_of

#: Clears the screen, renames the window, opens a link, turns the direction, rings; in seven bits and in eight.
COMMANDS = "\x1b[2J\x1b]0;title\x07\x1b]8;;http:\x1b\\\x9b31m\u202eevil\u2066\u200f\r\b\x7f"
#: Bytes of which none may reach a terminal, a page or a table.
RAW = "\x1b\x07\x9b\x08\x7f\r\u202e\u2066\u200f"
#: Markup of a page, of Markdown and of rich.
MARKUP = "<img src=x onerror=alert(1)>[bold red][x](http:x)`|**@everyone [oops"
FORMULA = '=HYPERLINK("http:x")'


def hostile(text: str) -> str:
    """A text of all of it, which begins as a formula does. Names of folders hold no slash."""
    return f"{FORMULA}{text}{COMMANDS}{MARKUP}".replace("/", "")[:90]


def hostile_name(text: str) -> str:
    """As short as a name of a folder has to be: two hundred bytes."""
    return f"=1+{text}\x1b[2J\x9b31m\u202e\x07<b>|`[x]@you"


def add_hostile(store: Path) -> list[Record]:
    """A run that adds up, one that failed, and one whose nats are not its own."""
    records = [add_spec(store, _spec(seed), 0.9 + seed, **_fields()) for seed in (0, 1)]
    error = RunError(hostile("Error"), hostile("why"), (hostile("log"), "```", hostile("more")))
    records.append(add_spec(store, _spec(2), status="failed", **_fields(), error=error))
    spoiled = record_of(_spec(3), **_fields())
    nats, clusters = nats_around(2.0, spoiled)
    records.append(leave(store, replace(spoiled, likelihood=records[0].likelihood), {NATS: nats_file(nats + 1, clusters)}))
    damaged = store / hostile_name("task") / hostile_name("damaged") / "0123456789ab" / "record.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{" + hostile("damaged"), encoding="utf-8")
    return records


def _spec(seed: int) -> Any:
    spec = ask("gated-pixelcnn", seed=seed, budget=hostile_name("budget"), settings={"layers": 2})
    facts = {"name": hostile_name("task"), "digest": hostile("digest"), "preprocessing": hostile("preprocessing")}
    settings = {**spec.settings, "condition": hostile("condition"), hostile("setting"): hostile("value")}
    return replace(spec, task={**spec.task, **facts}, variant=hostile_name("variant"), settings=settings)


def _fields() -> dict[str, Any]:
    provenance = Provenance(
        device=hostile("device"),
        source_digest=hostile("source"),
        git_commit=hostile("commit"),
        git_dirty=True,
        versions={"torch": hostile("torch"), hostile("package"): "9" * 5000},
        precision=hostile("precision"),
    )
    return {
        "provenance": provenance,
        "diagnoses": (Diagnosis(hostile("diagnosis"), hostile("sentence")),),
        "request": Request("run", hostile("suite"), hostile("task"), hostile("budget"), None, hostile("precision")),
    }
