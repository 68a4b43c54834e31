"""The TOML files of published figures: what may stand in one, and what is wrong with it in one sentence."""

import math
import re
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, get_args

from pixelbench.errors import UserError, nearest, shortened
from pixelbench.published.figures import Figure, Kind, PublishedBinarisation
from pixelbench.store.json_values import is_list
from pixelbench.suites.parsing import written
from pixelbench.suites.toml_file import read_toml

#: Units that a metric can have, as patterns.
UNITS = {
    "bits_per_dim": "bits/dim",
    "bits_per_dim_difference": "bits/dim",
    "nll_nats": "nats/image",
    "nll_nats_per_dim": "nats/dim",
    "nll_nats_per_pixel": "nats/pixel",
    "kl_nats": "nats/image",
    "receptive_field_fraction": "fraction",
    "inception_score": "IS",
    "fid": "FID",
    "classification_accuracy_score": "percent",
    "speedup": "x",
    "sampling_time": r"seconds(/image|/[1-9]\d* images)?",
}
#: What a file can hold; claims are written in suites.
_KINDS = tuple(kind for kind in get_args(Kind) if kind != "claim")
_BINARISATIONS: tuple[str, ...] = get_args(PublishedBinarisation)
_LIKELIHOODS = {"bits_per_dim", "nll_nats", "nll_nats_per_dim", "nll_nats_per_pixel"}
_ESTIMATOR = r"exact|elbo|iwae(-[1-9][0-9]{0,8})?|bound|density|approximate|analytic"
#: As papers print numbers; nobody prints more digits.
_PRINTED = r"-?[0-9]{1,20}(\.[0-9]{1,20})?"
_ESTIMATORS = "exact, elbo, iwae-K (iwae where K is unknown), bound, density, approximate or analytic"
#: What sentences call a file.
_CALLED = "Figure file"
#: Characters that a file's own words add to a sentence at most, with what was expected instead.
_LONGEST = 400
_SPLITS = ("train", "validation", "test", "samples")

_TYPES = {str: "a text in quotes", bool: "true or false", int: "a whole number", float: "a number", list: "a list of texts"}
_HEADER: dict[str, type] = {
    "paper": str,
    "title": str,
    "authors": str,
    "venue": str,
    "year": int,
    "arxiv": str,
    "url": str,
    "sources": list,
}
#: What a figure takes over from its file, where the number is that paper's own.
_OF_PAPER = ("title", "authors", "venue", "arxiv", "url")
_TEXTS = "id kind paper arxiv model config_name dataset preprocessing split metric unit printed estimator locator config training_cost note"
_FIGURE: dict[str, type] = (
    dict.fromkeys(_TEXTS.split(), str)
    | {"year": int, "updates": int, "value": float, "tolerance": float, "bound": bool, "verified": bool, "assumed": list, "conflicts": list}
    | {"task": str, "variant": str, "binarisation": str, "conditional": bool}
)
_NEEDED = ("id", "kind", "model", "metric", "unit", "value", "bound", "locator", "verified")
_REMARK: dict[str, type] = dict.fromkeys(("id", "model", "dataset", "about", "locator", "text"), str)


def load_figures(folder: Path | None = None) -> tuple[Figure, ...]:
    """All figures of a folder, by default those that PixelBench ships: papers first, then the files of each sub-folder, each as written.

    Raises:
        UserError: a file that cannot be read, or an error in one; the sentence names file, figure and field.
    """
    return _load(folder or reference_folder())


def reference_folder() -> Path:
    """Where the shipped figures are: inside an installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "_reference"
    return installed if installed.is_dir() else package.parent / "reference"


def read_folder(folder: Path) -> tuple[Figure, ...]:
    """The figures of all files in a folder and its sub-folders; those of the folder itself come first.

    Raises:
        UserError: as `read_file`; an id that two figures have; a conflict with an id that none has.
    """
    paths = sorted(folder.rglob("*.toml"), key=lambda path: (len(path.parts), path))
    figures: dict[str, Figure] = {}
    for path in paths:
        for figure in read_file(path, path.relative_to(folder).as_posix()):
            if figure.id in figures:
                other = figures[figure.id].file
                _refuse(
                    path, f"figure '{figure.id}'", "id", f"another figure{f' in {other}' if other != figure.file else ''} has it already"
                )
            figures[figure.id] = figure
    for figure in figures.values():
        for named in figure.conflicts:
            if " " not in named and named not in figures:
                _refuse(
                    folder / figure.file, f"figure '{figure.id}'", "conflicts", f"no figure is called '{named}'{_perhaps(named, figures)}"
                )
    return tuple(figures.values())


def read_file(path: Path, name: str) -> list[Figure]:
    """The figures of a paper's file, as written; its remarks are only checked. `name`: what the figures call their file.

    Raises:
        UserError: unreadable, too long, not UTF-8, no TOML, or an error, with the figure and the field it is in.
    """
    values = read_toml(path, _CALLED)
    entries = {kind: values.pop(kind, []) for kind in ("figure", "remark")}
    for kind, tables in entries.items():
        if not _is_list_of(tables, dict):
            _refuse(path, "the file", kind, f"expected tables that begin with [[{kind}]]")
    _check_fields(path, "the header", values, _HEADER, ("paper", "year", "sources"))
    if not values.get("url", "https://").startswith("https://"):
        _refuse(path, "the header", "url", f"expected an address that begins with https://, got {written(values['url'])}")
    for number, remark in enumerate(entries["remark"], 1):
        _check_fields(path, _called("remark", remark, number), remark, _REMARK, ("id", "locator", "text"))
    return [_figure(path, name, values, given, _called("figure", given, number)) for number, given in enumerate(entries["figure"], 1)]


def _figure(path: Path, name: str, header: dict[str, Any], given: dict[str, Any], called: str) -> Figure:
    _check_fields(path, called, given, _FIGURE, _NEEDED)
    for field, error in _errors(given):
        _refuse(path, called, field, error)
    values: dict[str, Any] = {field: tuple(value) if _is_list_of(value, str) else value for field, value in given.items()}
    values["value"] = float(given["value"])
    values.setdefault("printed", f"{given['value']:g}")
    quoted = "paper" in given
    about = {} if quoted else {name: header.get(name, "") for name in _OF_PAPER}
    source = {"paper": header["paper"], "year": header["year"], "quoted_in": header["paper"] if quoted else "", **about}
    fields: dict[str, Any] = {**source, **values, "file": name}
    return Figure(**fields)


def _check_fields(path: Path, called: str, given: dict[str, Any], types: dict[str, type], needed: tuple[str, ...]) -> None:
    for field, value in given.items():
        if field not in types:
            _refuse(path, called, field, f"there is no such field{_perhaps(field, types)}")
        if not _is(value, types[field]):
            _refuse(path, called, field, f"expected {_TYPES[types[field]]}, got {written(value)}")
        if value in ("", "-"):
            _refuse(path, called, field, "is empty; leave out what the source does not say" if field not in needed else "is empty")
    for field in needed:
        if field not in given:
            _refuse(path, called, field, "is missing")


def _is(value: Any, kind: type) -> bool:
    if kind is list:
        return _is_list_of(value, str) and all(value)
    if kind in (int, float):
        return isinstance(value, (int, kind)) and not isinstance(value, bool) and not (isinstance(value, int) and abs(value) >= 2**63)
    return isinstance(value, kind)


def _is_list_of(value: Any, kind: type) -> bool:
    return is_list(value) and all(isinstance(entry, kind) for entry in value)


def _errors(given: dict[str, Any]) -> list[tuple[str, str]]:
    """Field and error, for figures whose fields have the right types."""
    found: list[tuple[str, str]] = []
    if given["kind"] not in _KINDS:
        found.append(("kind", f"expected paper, context or reproduction, got '{given['kind']}'{_perhaps(given['kind'], _KINDS)}"))
    if given["metric"] not in UNITS:
        found.append(("metric", f"there is no metric '{given['metric']}'{_perhaps(given['metric'], UNITS)}"))
    elif not re.fullmatch(UNITS[given["metric"]], given["unit"]):
        found.append(("unit", f"'{given['unit']}' does not fit the metric {given['metric']}, which is in {_readable(given['metric'])}"))
    for field in ("value", "tolerance"):
        if not math.isfinite(given.get(field, 0)):
            found.append((field, f"expected a finite number, got {given[field]}"))
    found += [(field, f"expected more than 0, got {given[field]}") for field in ("tolerance", "updates") if given.get(field, 1) <= 0]
    printed = given.get("printed")
    short = f"{given['value']:g}"
    if printed is None and not (re.fullmatch(_PRINTED, short) and float(short) == given["value"]):
        found.append(("printed", "is missing, and a value of so many digits needs it"))
    if printed is not None and not (re.fullmatch(_PRINTED, printed) and float(printed) == given["value"]):
        found.append(("printed", f"'{printed}' is not the value {given['value']}"))
    for field, known in (("split", _SPLITS), ("binarisation", _BINARISATIONS)):
        if given.get(field) not in (None, *known):
            found.append((field, f"expected {', '.join(known[:-1])} or {known[-1]}, got '{given[field]}'{_perhaps(given[field], known)}"))
    return found + _estimator_errors(given) + _cell_errors(given)


def _estimator_errors(given: dict[str, Any]) -> list[tuple[str, str]]:
    estimator = given.get("estimator")
    if estimator is None:
        return [("estimator", "is missing, and a likelihood needs one")] if given["metric"] in _LIKELIHOODS else []
    return [] if re.fullmatch(_ESTIMATOR, estimator) else [("estimator", f"expected {_ESTIMATORS}, got '{estimator}'")]


def _cell_errors(given: dict[str, Any]) -> list[tuple[str, str]]:
    if ("task" in given) != ("variant" in given):
        lacking, other = ("variant", "task") if "task" in given else ("task", "variant")
        return [(lacking, f"is missing, although the figure has a {other}")]
    if "task" in given and given["metric"] not in _LIKELIHOODS:
        return [("task", f"a figure of the metric {given['metric']} cannot be held against a run")]
    return [("split", "is missing, and a figure with a task needs one")] if "task" in given and "split" not in given else []


def _readable(metric: str) -> str:
    return "seconds, seconds/image or seconds/N images" if metric == "sampling_time" else UNITS[metric]


def _called(kind: str, given: dict[str, Any], number: int) -> str:
    name = given.get("id")
    return f"{kind} '{shortened(name)}'" if isinstance(name, str) and name else f"{kind} number {number}"


def _perhaps(name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean '{near}'?" if near else ""


def _refuse(path: Path, called: str, field: str, error: str) -> NoReturn:
    said = shortened(error, _LONGEST)
    raise UserError(f"{_CALLED} '{path}': {called}: {shortened(field)}: {said}{'' if said.endswith('?') else '.'}")


@cache
def _load(folder: Path) -> tuple[Figure, ...]:
    figures = read_folder(folder)
    if not figures:
        raise UserError(f"There are no figures in '{folder}'; it should hold the TOML files of reference/.")
    return figures
