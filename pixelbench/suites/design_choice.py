"""What an ablation changes, as its suite file alone says it, so that the cells of any store can be held against it. No torch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pixelbench.key_fields import key_values
from pixelbench.suites.load import ablation_names, load_suite
from pixelbench.suites.resolve import Resolved, pairs, resolve
from pixelbench.suites.schema import Ablation, Suite


@dataclass(frozen=True)
class Option:
    """The baseline of an ablation or one of its variants."""

    variant: str
    family: str
    values: tuple[object, ...]
    """Of the ablated setting on the suite's tasks, each once; None where the family has no such setting, or its default is unsaid."""
    words: str
    """In plain words; empty where the file has none."""
    fixed: Mapping[str, Any]
    """The other settings that the variant itself writes."""


@dataclass(frozen=True)
class DesignChoice:
    """One design choice: `options` are the baseline, then the variants in the order of the file. `setting` is what they differ in; None
    where that is not one setting alone, and they are known by their cells in `suite`."""

    name: str
    title: str
    question: str
    setting: str | None
    options: tuple[Option, ...]
    suite: Suite
    place: int | None = None
    """Among the sections of a report; None: behind all that have one."""

    @property
    def baseline(self) -> Option:
        return self.options[0]

    @property
    def variants(self) -> tuple[Option, ...]:
        return self.options[1:]

    @property
    def open(self) -> bool:
        """Whether the baseline's value is a number of each task's own, so that any other number is a variant, as with depth."""
        return len(self.baseline.values) > 1 and all(is_number(value) for value in self.baseline.values)

    @property
    def across_families(self) -> bool:
        """Whether the baseline's family has no such setting: PixelVAE's decoders, beside the network without latents."""
        return any(option.family != self.baseline.family for option in self.variants)

    def in_words(self, value: object) -> str:
        """`vertical layers all strictly above their row`; where the file has no words for a value, `3 layers` or `gates = false`."""
        said = next((option.words for option in self.options if option.words and value in option.values), "")
        return said or _in_words(str(self.setting), value)

    def same_comparison(self, other: "DesignChoice") -> bool:
        """Whether both hold the same values of the same setting against each other, whatever they are called."""
        return self.setting is not None and self._comparison == other._comparison

    @property
    def _comparison(self) -> tuple[Any, ...]:
        return self.setting, *((option.family, option.values) for option in self.options)


def design_choice(suite: Suite, ablation: Ablation) -> DesignChoice:
    """What a valid suite with the table `[ablation]` changes.

    The setting is the one in which each variant differs from the baseline on the ablation's task, where it differs in nothing else; between
    families, of which one lacks it, the one that the table names.
    """
    names = [variant.name for task, variant in pairs(suite) if task.name == ablation.task]
    ordered = [ablation.baseline, *(name for name in names if name != ablation.baseline)]
    setting = _ablated_setting(suite, ablation, ordered)
    by_name = {variant.name: variant for variant in suite.variants}
    values = {} if setting is None else values_of(suite, setting)
    options = [
        Option(
            variant=name,
            family=by_name[name].family,
            values=values.get(name, ()),
            words=ablation.words.get(name, ""),
            fixed={own: value for own, value in by_name[name].settings.items() if own != setting},
        )
        for name in ordered
    ]
    return DesignChoice(suite.name, ablation.title or suite.name, ablation.question, setting, tuple(options), suite, ablation.place)


@cache
def shipped_choices() -> tuple[DesignChoice, ...]:
    """What the ablations that ship change, in the order of a report's sections."""
    suites = map(load_suite, ablation_names())
    return _ordered(design_choice(suite, suite.ablation) for suite in suites if suite.ablation is not None)


def choices_with(suite: Suite) -> tuple[DesignChoice, ...]:
    """What ships, and what a suite of one's own changes, if it is an ablation; the own one stands for any that compares the same."""
    shipped = shipped_choices()
    if suite.ablation is None:
        return shipped
    own = design_choice(suite, suite.ablation)
    return _ordered([own, *(one for one in shipped if one.name != own.name and not one.same_comparison(own))])


def values_of(suite: Suite, setting: str) -> dict[str, tuple[object, ...]]:
    """Variant → the values that a setting has for it on the suite's tasks at the default budget, each once, as run keys have them."""
    found: dict[str, list[object]] = {}
    for task, variant in pairs(suite):
        resolved = resolve(suite, task, variant, suite.default_budget, [])
        value = None if resolved is None else key_values(resolved.settings).get(setting)
        values = found.setdefault(variant.name, [])
        if resolved is not None and value not in values:
            values.append(value)
    return {name: tuple(values) for name, values in found.items()}


def is_number(value: object) -> bool:
    """Whether a setting's value can be more or less than another."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _ordered(choices: Iterable[DesignChoice]) -> tuple[DesignChoice, ...]:
    return tuple(sorted(choices, key=lambda one: (one.place is None, one.place or 0)))


def _ablated_setting(suite: Suite, ablation: Ablation, names: list[str]) -> str | None:
    if len({variant.family for variant in suite.variants if variant.name in names}) > 1:
        return ablation.setting
    cells = {
        variant.name: resolved
        for task, variant in pairs(suite)
        if task.name == ablation.task and (resolved := resolve(suite, task, variant, suite.default_budget, [])) is not None
    }
    baseline, *others = (cells[name] for name in names)
    first, *further = [_differences(baseline, other) for other in others]
    return min(first) if len(first) == 1 and all(one == first for one in further) else None


def _differences(baseline: Resolved, other: Resolved) -> set[str]:
    """The names of the settings in which two cells differ; none where they differ in more than settings."""
    if (baseline.recipe, baseline.evaluation, baseline.updates) != (other.recipe, other.evaluation, other.updates):
        return set()
    mine, its = baseline.settings.as_dict(), other.settings.as_dict()
    return {name for name in mine if mine[name] != its[name]}


def _in_words(setting: str, value: object) -> str:
    if is_number(value):
        return f"{value} {setting if value != 1 else setting.removesuffix('s')}"
    if isinstance(value, bool):
        return f"{setting} = {'true' if value else 'false'}"
    return f"no {setting}" if value is None else f"{setting} {value}"
