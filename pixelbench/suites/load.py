"""Suites: a grid of tasks, variants and seeds with a budget, as a TOML file. No torch.

```toml
name = "mine"
default_budget = "cpu"
seeds = [0, 1]
verdict_seeds = 5              # the seeds 0 to 4 decide a verdict, whatever else is stored; at least 3, which is the default
keep_weights = false           # true: trained weights are always kept beside the record; left out, by their size
[recipe]                       # how it is trained: fields of Recipe, below
learning_rate = 4e-3
[evaluation]                   # how many images are scored and drawn: fields of Evaluation, below
samples = 64
[budget.cpu]
updates = 400                  # also settings, recipe, evaluation: what is different in a training so short
[[task]]
name = "digits"
settings = { maps = 24 }       # for the families that have such a setting; also recipe, evaluation, budget.cpu
assumed = ["…"]                # of all trained variants on it: what a paper leaves unsaid and is chosen here; also deviations
[[variant]]
name = "gated-no-gates"
family = "gated-pixelcnn"
settings = { gates = false }   # also recipe, evaluation, budget.cpu, tasks = ["digits"], expect = "leaky"
on.digits.settings.maps = 32   # on this task alone; also recipe, evaluation, budget.cpu, seeds, assumed, deviations
assumed = ["…"]                # of this variant; also deviations: texts, a sentence each, for `show --resolved`
verdict_seeds = 10             # of this variant; also seeds, keep_weights
[[variant]]
name = "mine"
family = "nets/mine.py:make"   # a function or class that makes an nn.Module, in a file beside this one, or "package.module:make"
settings = { maps = 32 }       # what it is called with, beside channels, height, width and levels where it takes them
module = { head = "categorical", input = "unit" }   # how the module is read, as in `pixelbench check`; left out, it is found out
[axes]
layers = [3, 4]                # a product over the variants that have the setting and do not fix it themselves
[ablation]                     # where the suite is one, for `ablate`
title = "Gates"                # of its section in reports, with the suite's name where left out
question = "Are the gates worth their weights?"
baseline = "gated-pixelcnn"    # one of the variants; the others are it with one thing changed
task = "digits"                # one of the tasks, the one to begin with
words = { gated-pixelcnn = "with gates", gated-no-gates = "ReLU" }  # what the variants are; may be left out
setting = "gates"              # what they change; may be left out, and then it is the one setting in which they differ
place = 1                      # of its section in reports; left out, behind those that have one
[[claim]]                      # a number to hold a variant against, as published figures are
task = "digits"
variant = "gated-no-gates"
value = 1.90                   # as it is printed, so 1.90 is not 1.9
unit = "bits/dim"              # or "nats/image"
source = "Table 3 of my paper"
tolerance = 0.01               # may be left out
```

`extends = "quick"` (a name, or a path from this file) starts from another suite: tables are merged, tasks and variants by their name. With
`tasks = ["digits"]` beside it, the other tasks of that suite are left out, and the variants that are on none but them; with
`variants = ["nade"]` all other variants. Claims stay with the file that makes them: none is taken over. A task may also be a folder of
images, `folder:PATH`.

Where several places speak of a setting the later one of these wins: suite, task, variant, variant on that task; then what each of the four
says of the budget, in the same order. `pixelbench show SUITE --resolved` says for each setting where it comes from.
"""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from pixelbench.errors import UserError, nearest, shortened, unknown
from pixelbench.importing import split_target
from pixelbench.models.families import FAMILIES
from pixelbench.models.foreign.order import read_order
from pixelbench.models.foreign.source import from_file, names_source
from pixelbench.suites import parsing
from pixelbench.suites.claims import WrittenFloat, fill_in_printed
from pixelbench.suites.resolve import expand_axes
from pixelbench.suites.schema import Suite
from pixelbench.suites.toml_file import files_beside, is_file, read_text, read_toml
from pixelbench.suites.validation import axis_errors, find_errors, size_errors, unknown_names
from pixelbench.training.recipe import Recipe

_SHIPPED = Path(__file__).parent / "shipped"
_ABLATIONS = _SHIPPED / "ablations"
#: What shipped suites have in common; to extend, or to look at.
_PARTS = _SHIPPED / "parts"
_CALLED = "Suite file"
#: Errors that are shown; more come of one that is everywhere.
_MOST_SHOWN = 50


def suite_names() -> list[str]:
    """The suites that ship with PixelBench, but for the ablations."""
    return _names(_SHIPPED)


def ablation_names() -> list[str]:
    """The ablations that ship, each a suite with a table `[ablation]`."""
    return _names(_ABLATIONS)


def load_suite(name_or_path: str) -> Suite:
    """A shipped suite or ablation by name, or any suite file by path (with a slash, or ending in `.toml`).

    Raises:
        UserError: no such suite, unreadable, no TOML, or errors in it (all of them, each with its dotted path).
    """
    path = _find(name_or_path, Path())
    values = _read_extended(path)
    errors = list(parsing.impossible_numbers(values))
    errors += fill_in_printed(_tables(values, "claim"))
    suite = parsing.parse(Suite, [("", values)], errors)
    if suite is None:
        recipe = values.get("recipe")  # can be judged although the rest has no shape
        parsing.parse(Recipe, [("recipe", recipe if isinstance(recipe, dict) else {})], errors)
    elif not errors:
        suite, errors = _expanded(suite)
    if suite is None or errors:
        raise UserError(_summary(path, list(dict.fromkeys(errors))))
    return suite


def _expanded(suite: Suite) -> tuple[Suite, list[str]]:
    """The suite with its axes multiplied out, and what is wrong with it. Names are looked up, and cells counted, before there are any."""
    errors = [*unknown_names(suite), *axis_errors(suite)]
    too_large = size_errors(suite)
    if too_large:
        return suite, errors + too_large
    try:
        suite = expand_axes(suite)
    except ValueError as error:  # a value of an axis that no name can be made of
        return suite, [*errors, f"axes: {error}"]
    return suite, errors + find_errors(suite)


def suite_text(name_or_path: str) -> str:
    """The file of a suite as it is written, to copy and change.

    Raises:
        UserError: no such suite, or unreadable.
    """
    return read_text(_find(name_or_path, Path()), _CALLED)


def is_path(name_or_path: str) -> bool:
    """Whether a suite is named by its file, not by a name that ships."""
    return "/" in name_or_path or name_or_path.endswith(".toml")


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml"))


def _find(name_or_path: str, beside: Path) -> Path:
    if not is_path(name_or_path):
        for folder in (_SHIPPED, _ABLATIONS, _PARTS):
            if name_or_path in _names(folder):
                return folder / f"{name_or_path}.toml"
        raise unknown("suite", name_or_path, [*suite_names(), *ablation_names()])
    path = beside / name_or_path
    if not is_file(path):
        near = nearest(path.name, files_beside(path))
        hint = f"did you mean '{path.with_name(near)}'?" if near else "`pixelbench list suites` names those that ship."
        raise UserError(f"There is no suite file '{shortened(str(path), 200)}'; {hint}")
    return path


def _read_extended(path: Path) -> dict[str, Any]:
    values = _read(path)
    extends, chosen = values.pop("extends", None), {part: values.pop(part, None) for part in _KEPT}
    if extends is None:
        for part, kept in chosen.items():
            if kept is not None:
                raise UserError(f"{path}: {part}: says which {part} of an extended suite stay, and this one extends none; leave it out.")
        return values
    if not isinstance(extends, str):
        raise UserError(f"{path}: extends: expected the name or path of a suite in quotes.")
    base_path = _find(extends, path.parent)
    base = _read(base_path)
    if "extends" in base:
        further = shortened(str(base["extends"]))
        raise UserError(f"{path}: extends: '{extends}' itself extends '{further}'; extend that one instead.")
    for own in ("name", "description", "claim"):
        base.pop(own, None)
    reduced = base
    for part, kept in chosen.items():
        if kept is not None:
            _check_kept(path, part, kept, [table.get("name") for table in _tables(base, part.removesuffix("s"))])
            reduced = _KEPT[part](reduced, kept)
    return _merged(_without_words_lost(_without_settings_lost(base, reduced)), values)


def _check_kept(path: Path, part: str, kept: Any, known: list[Any]) -> None:
    """Raise UserError where it is no list of names of the extended suite."""
    if not isinstance(kept, list) or not kept:
        example = json.dumps(known[:1])
        raise UserError(f"{path}: {part}: expected a list of those {part} of the extended suite that stay, such as {example}.")
    for name in kept:
        if name not in known:
            what = f"{part.removesuffix('s')} of the extended suite"
            raise UserError(f"{path}: {part}: {unknown(what, str(name), [str(name) for name in known])}")


def _with_variants(base: dict[str, Any], kept: list[Any]) -> dict[str, Any]:
    """The suite without its other variants."""
    return base | {"variant": [variant for variant in _tables(base, "variant") if variant.get("name") in kept]}


def _without_settings_lost(base: dict[str, Any], reduced: dict[str, Any]) -> dict[str, Any]:
    """The reduced suite without those settings for all its variants that only variants had which were left out."""
    lost = _settings_of(base) - _settings_of(reduced)
    return _without_settings(reduced | {"task": [_without_settings(task, lost) for task in _tables(reduced, "task")]}, lost)


def _without_words_lost(suite: dict[str, Any]) -> dict[str, Any]:
    """The suite whose ablation has no words for variants that were left out."""
    ablation = suite.get("ablation")
    if not isinstance(ablation, dict) or not isinstance(ablation.get("words"), dict):
        return suite
    stay = {variant.get("name") for variant in _tables(suite, "variant")}
    return suite | {"ablation": ablation | {"words": {name: said for name, said in ablation["words"].items() if name in stay}}}


def _settings_of(suite: dict[str, Any]) -> set[str]:
    """The names of all settings that the families of its variants have."""
    families = {family for variant in _tables(suite, "variant") if isinstance(family := variant.get("family"), str)}
    return {setting.name for family in families if family in FAMILIES for setting in fields(FAMILIES[family].settings)}


def _without_settings(table: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """A suite or a task whose settings, also those of its budgets, leave out those names."""
    cut = dict(table)
    if isinstance(cut.get("settings"), dict):
        cut["settings"] = {name: value for name, value in cut["settings"].items() if name not in names}
    if isinstance(cut.get("budget"), dict):
        cut["budget"] = {name: _without_settings(part, names) if isinstance(part, dict) else part for name, part in cut["budget"].items()}
    return cut


def _on_tasks(base: dict[str, Any], kept: list[Any]) -> dict[str, Any]:
    """The suite without its other tasks, and without the variants that are on none of these."""
    tasks, variants = _tables(base, "task"), _tables(base, "variant")
    there = [{key: _only(kept, value) if key in ("tasks", "on") else value for key, value in variant.items()} for variant in variants]
    stay = [variant for variant in there if variant.get("tasks") != []]
    return base | {"task": [task for task in tasks if task.get("name") in kept], "variant": stay}


#: What of an extended suite may be chosen by a list of names, and how the rest is left out.
_KEPT: dict[str, Callable[[dict[str, Any], list[Any]], dict[str, Any]]] = {"tasks": _on_tasks, "variants": _with_variants}


def _only(kept: list[Any], names: Any) -> Any:
    """A list or a table without the names of other tasks; anything else is left to whoever looks at the whole."""
    if isinstance(names, dict):
        return {name: value for name, value in names.items() if name in kept}
    return [name for name in names if name in kept] if isinstance(names, list) else names


def _tables(values: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return values[name] if _is_table_list(values.get(name)) else []


def _read(path: Path) -> dict[str, Any]:
    """The contents of the file; names, by which tables are merged, are texts.

    Raises:
        UserError: no TOML, or a name that is none.
    """
    values = read_toml(path, _CALLED, WrittenFloat)
    errors = [
        f"{kind}.[{index}].name: expected a text in quotes, got {parsing.written(entry['name'])}"
        for kind in ("task", "variant")
        for index, entry in enumerate(_tables(values, kind))
        if not isinstance(entry.get("name", ""), str)
    ]
    if errors:
        raise UserError(_summary(path, errors))
    variants = _tables(values, "variant")
    _check_files([family for one in variants if isinstance(family := one.get("family"), str) and names_source(family)], path)
    for variant in variants:
        _of_others(variant, path)
    return values


def _check_files(families: list[str], path: Path) -> None:
    """Raise UserError where two files have one name: runs know a file by that."""
    found: dict[str, Path] = {}
    for family in families:
        file = Path(path.parent, split_target(family)[0]).resolve()
        if found.setdefault(file.name, file) != file:
            raise UserError(f"{path}: two files are called '{file.name}', and runs know a file by its name; rename one.")


def _of_others(variant: dict[str, Any], path: Path) -> None:
    """Take what a variant says of a module of somebody's: the file beside the suite, and `module`, which becomes one of its settings.

    Raises:
        UserError: another file of the same name is known already, or the file of an order cannot be read.
    """
    family, module = variant.get("family"), variant.get("module")
    if isinstance(family, str) and names_source(family):
        variant["family"] = from_file(family, path.parent)
    if isinstance(module, dict) and isinstance(variant.setdefault("settings", {}), dict):
        if isinstance(order := module.get("order"), str):
            module["order"] = read_order(path.parent / order, "module.order")
        variant["settings"] |= {"module": variant.pop("module")}


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in own.items():
        before = merged.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[name] = _merged(before, value)
        elif name in ("task", "variant") and _is_table_list(before) and _is_table_list(value):
            tables = {entry.get("name"): entry for entry in before or ()}
            for entry in value:
                tables[entry.get("name")] = _merged(tables.get(entry.get("name"), {}), entry)
            merged[name] = list(tables.values())
        else:
            merged[name] = value
    return merged


def _is_table_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _summary(path: Path, errors: list[str]) -> str:
    where = path.stem if path.is_relative_to(_SHIPPED) else path
    if len(errors) == 1:
        return f"Suite '{where}' has an error: {errors[0].removesuffix('.')}{'' if errors[0].endswith('?') else '.'}"
    shown = [f"  {error}" for error in errors[:_MOST_SHOWN]]
    more = [f"  and {len(errors) - _MOST_SHOWN} more"] if len(errors) > _MOST_SHOWN else []
    return "\n".join([f"Suite '{where}' has {len(errors)} errors:", *shown, *more])
