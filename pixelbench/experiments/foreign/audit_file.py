"""An audit file: modules that somebody has on disk, how each is checked, and what is expected of it. No torch.

```toml
title = "Our models"
[defaults]                       # for every entry that does not say it itself
seconds = 60
levels = 4
[[entry]]
name = "rows-net"                # of the row, and of the certificate's file
source = "my-repository"         # a folder under --sources, where the check runs; by default the folder of this file
target = "factories.py:rows_net" # a file beside this one or in the source; or package.module:name of the source; or a family
shape = [1, 6, 5]
expect = "causal"                # the default; or leaky, partial, stateful, undecided, unchecked, …, any
gaps = 2                         # so many earlier positions are never seen
gap_offsets = [[-1, 2], [-1, 3]] # these and no others
faults = ["sees-itself"]         # among the diagnoses
note = "commit 60d1ed0"          # shown beside it
```

All further keys of an entry are those of `CheckRequest`, the options of `pixelbench check` with `_` for `-`: `head = "logistic-mixture"`,
`mode = "both"`, `settings = { layers = 4 }`, `args = { labels = 0 }`, `memory = "4GiB"`.
"""

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from pixelbench.analysis.audits import Expectation, Expected, Offset
from pixelbench.causality.options import DEFAULT_BASES, Options
from pixelbench.errors import UserError, nearest, shortened, unknown
from pixelbench.experiments.foreign.checking import CheckRequest, refuse_meaningless
from pixelbench.experiments.foreign.parsing import parse_shape, parse_size
from pixelbench.importing import split_target
from pixelbench.models.families import FAMILIES
from pixelbench.models.foreign.source import names_source
from pixelbench.suites import parsing
from pixelbench.suites.toml_file import files_beside, is_file, read_toml

#: Seconds of an entry, where neither it nor the defaults say.
SECONDS = 60.0
_STRICT = ConfigDict(extra="forbid", strict=True)
_CALLED = "Audit file"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,79}")
_MOST_SHOWN = 50
#: Options of a check that name a file or folder, which lies beside the audit file.
_PATHS = ("order", "images")


@dataclass(frozen=True, kw_only=True)
class AuditEntry(CheckRequest):
    """A module, how it is checked, and what is expected.

    Attributes:
        name: letters, digits, dots, dashes; one that no other entry has.
        source: a folder under that of all sources.
        note: a remark to show, such as a commit.
    """

    __pydantic_config__ = _STRICT

    name: str
    source: str | None = None
    note: str = ""
    expect: Expected = "causal"
    gaps: int | None = None
    gap_offsets: tuple[Offset, ...] | None = None
    faults: tuple[str, ...] = ()

    @property
    def expectation(self) -> Expectation:
        """What is expected of it."""
        return Expectation(self.expect, self.gaps, self.gap_offsets, self.faults)

    def request(self, target: str) -> CheckRequest:
        """The check of `target`, which is the entry's own as the process that runs it finds it."""
        return dataclasses.replace(
            CheckRequest(**{one.name: getattr(self, one.name) for one in dataclasses.fields(CheckRequest)}), target=target
        )


@dataclass(frozen=True)
class AuditFile:
    """An audit, all of whose options are known to make sense."""

    path: Path
    title: str
    entries: tuple[AuditEntry, ...]


@dataclass(frozen=True)
class _Written:
    """The top level of the file."""

    __pydantic_config__ = _STRICT

    title: str = ""
    defaults: dict[str, Any] = field(default_factory=dict)
    entry: tuple[dict[str, Any], ...] = ()


def load_audit(path: Path) -> AuditFile:
    """Read and validate an audit file; whether the modules are there is not looked at.

    Raises:
        UserError: no such file, no TOML, or errors in it: all of them, each with its dotted path.
    """
    if not is_file(path):
        near = nearest(path.name, files_beside(path))
        hint = f"did you mean '{path.with_name(near)}'?" if near else "see `pixelbench audit --help` for one to begin with."
        raise UserError(f"There is no audit file '{shortened(str(path), 200)}'; {hint}")
    values = read_toml(path, _CALLED)
    errors = list(parsing.impossible_numbers(values))
    written = parsing.parse(_Written, [("", values)], errors) if not errors else None
    entries = [] if written is None else [_entry(table, index, written.defaults, path, errors) for index, table in enumerate(written.entry)]
    if written is not None and not written.entry:
        errors.append("entry: is missing; an audit has a table [[entry]] for each module")
    found = [entry for entry in entries if entry is not None]
    errors += _doubles(found)
    if written is None or errors:
        raise UserError(_summary(path, list(dict.fromkeys(errors))))
    return AuditFile(path, written.title or path.stem, tuple(found))


def is_family(target: str) -> bool:
    """Whether it is the name of a family, and not of a module in a file or package."""
    return not names_source(target) and target in FAMILIES


def _entry(table: dict[str, Any], index: int, defaults: dict[str, Any], path: Path, errors: list[str]) -> AuditEntry | None:
    """An entry with the defaults below it; None after adding what is wrong with it."""
    where = f"entry.{parsing.item_name(table, index)}"
    found = [f"{where}{error}" for error in _wrong_names(table)]
    given = [(owner, _as_request(values, owner, path, found)) for owner, values in (("defaults", defaults), (where, table))]
    entry = parsing.parse(AuditEntry, [("", {"name": "", "target": "", "seconds": SECONDS}), *given], found)
    if entry is not None and not found:
        found = [f"{where}{error}" for error in _impossible(entry)]
    errors += found
    return entry


def _as_request(values: dict[str, Any], owner: str, path: Path, errors: list[str]) -> dict[str, Any]:
    """The table with what TOML says better than a command line (lists, tables, units) as a request has it."""
    taken = dict(values)
    for name in ("settings", "args"):
        if name in values and not isinstance(values[name], dict):
            errors.append(f"{owner}.{name}: expected a table such as {{ layers = 4 }}, got {parsing.written(values[name])}")
            taken.pop(name)
        elif name in values:
            taken[name] = [f"{key}={parsing.written(value)}" for key, value in values[name].items()]
    shape = values.get("shape")
    if isinstance(shape, list) and all(type(size) is int for size in shape):
        taken["shape"] = ",".join(map(str, shape))
    if isinstance(values.get("memory"), str):
        try:
            taken["memory"] = parse_size(values["memory"])
        except UserError as error:
            errors.append(f"{owner}.memory: {error}")
            taken.pop("memory")
    for name in _PATHS:
        value = values.get(name)
        if isinstance(value, str) and (path.parent / value).exists():
            taken[name] = str((path.parent / value).resolve())
    return taken


def _wrong_names(table: dict[str, Any]) -> list[str]:
    """What is wrong with a name or a target, whatever else is wrong with the entry."""
    errors, name, target = [], table.get("name"), table.get("target")
    errors += [f".{key}: is missing" for key in ("name", "target") if key not in table]
    if isinstance(name, str) and not _NAME.fullmatch(name):
        errors.append(f".name: expected at most 80 letters, digits and . _ + -, got {parsing.written(name)}")
    if isinstance(target, str) and not is_family(target) and not all(split_target(target)):
        errors.append(f".target: {unknown('model', target, FAMILIES)} A module is given as file.py:name or package.module:name")
    return errors


def _impossible(entry: AuditEntry) -> list[str]:
    """What no check can do, which is known before anything is loaded."""
    errors = []
    if not is_family(entry.target) and entry.settings:
        errors.append(".settings: are for families; bind those of a module in a function without arguments")
    if not is_family(entry.target) and entry.shape is None and not (entry.sums_to_one or entry.sampler):
        errors.append(".shape: is missing; small images take seconds, such as [3, 8, 7]")
    if entry.gaps is not None and entry.gaps < 0:
        errors.append(f".gaps: must be at least 0, got {entry.gaps}")
    for name, refused in (
        ("shape", lambda: parse_shape(entry.shape)),
        ("", lambda: _options(entry)),
        ("", lambda: refuse_meaningless(entry)),
    ):
        try:
            refused()
        except UserError as error:
            errors.append(f"{name and '.'}{name}: {error}")
    return errors


def _options(entry: AuditEntry) -> Options:
    """Whether they are in range."""
    levels = 2 if entry.levels is None else entry.levels
    return Options(levels=levels, seconds=entry.seconds, bases=entry.bases or DEFAULT_BASES)


def _doubles(entries: list[AuditEntry]) -> list[str]:
    """Names that two entries have; on some disks also those that differ in capitals only."""
    seen: dict[str, str] = {}
    errors = []
    for entry in entries:
        before = seen.setdefault(entry.name.casefold(), entry.name)
        if before is not entry.name:
            errors.append(f"entry.{entry.name}.name: another entry is called '{before}'; their certificates would be one file")
    return errors


def _summary(path: Path, errors: list[str]) -> str:
    if len(errors) == 1:
        return f"{_CALLED} '{path}' has an error: {errors[0].removesuffix('.')}."
    shown = [f"  {error}" for error in errors[:_MOST_SHOWN]]
    more = [f"  and {len(errors) - _MOST_SHOWN} more"] if len(errors) > _MOST_SHOWN else []
    return "\n".join([f"{_CALLED} '{path}' has {len(errors)} errors:", *shown, *more])
