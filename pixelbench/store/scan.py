"""All runs of a store, tolerant of damage: what cannot be read is reported, never fatal and never deleted."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixelbench.errors import UserError, nearest
from pixelbench.store.record import RecordError, read_record


@dataclass(frozen=True)
class StoredRun:
    """A run that has ended: its folder and its record."""

    folder: Path
    record: dict[str, Any]


class Scan(dict[str, StoredRun]):
    """Run key → stored run. `problems`: a sentence for each record of no use. `unusable`: its folder → whether a newer version made it."""

    def __init__(self) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.unusable: dict[Path, bool] = {}


def scan(store: Path) -> Scan:
    """Reads every `<store>/<task>/<variant>/<run key>/record.json`. A store that does not exist yet is empty.

    Raises:
        UserError: `store` is a file, or cannot be listed.
    """
    found = Scan()
    for folder in _run_folders(store, found.problems):
        try:
            record = read_record(folder)
        except FileNotFoundError:
            continue  # under way, or killed before it ended
        except RecordError as problem:
            found.problems.append(str(problem))
            found.unusable[folder] = problem.newer
            continue
        twin = found.get(record["run_key"])
        if twin is None:
            found[record["run_key"]] = StoredRun(folder, record)
        else:
            found.problems.append(f"{folder} holds the same run as {twin.folder}, which is used; move one of them away.")
    return found


def require_store(path: Path) -> Path:
    """`path`, if there is a folder to read results from.

    Raises:
        UserError: no such folder (names the nearest one beside it), or a file.
    """
    if path.is_dir():
        return path
    if path.exists():
        raise UserError(f"Results folder '{path}' is a file; name a folder with --results DIR.")
    beside = [p.name for p in path.parent.iterdir() if p.is_dir()] if path.parent.is_dir() else []
    near = nearest(path.name, beside)
    hint = f" Did you mean '{path.with_name(near)}'?" if near else " Make one with `pixelbench run --suite quick --results DIR`."
    raise UserError(f"There is no results folder '{path}'.{hint}")


def _run_folders(store: Path, problems: list[str]) -> Iterator[Path]:
    """The folders three levels down, in order of name. `work` is nobody's task: locks live there."""
    try:
        tasks = _folders(store)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise UserError(f"Results folder '{store}' is a file; name a folder with --results DIR.") from None
    except OSError as error:
        raise UserError(f"Results folder '{store}' cannot be read ({error.strerror}); mend its permissions or name another.") from None
    for task in tasks:
        try:
            if task.name != "work":
                yield from (run for variant in _folders(task) for run in _folders(variant))
        except OSError as error:
            problems.append(f"'{task}' cannot be read ({error.strerror}); mend its permissions.")


def _folders(parent: Path) -> list[Path]:
    with os.scandir(parent) as entries:
        return [parent / name for name in sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))]
