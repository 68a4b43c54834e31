"""Claims of a suite's own: their digits as they are written, and whether each is about a cell of the suite. No torch."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pixelbench.errors import unknown
from pixelbench.suites.parsing import item_name
from pixelbench.suites.schema import Suite


class WrittenFloat(float):
    """A number of a TOML file that remembers how it is written there."""

    text: str

    def __new__(cls, text: str) -> "WrittenFloat":
        number = super().__new__(cls, text)
        number.text = text.replace("_", "")
        return number


def fill_in_printed(claims: list[dict[str, Any]]) -> Iterator[str]:
    """Gives each claim the digits of its value as the file has them; a mistake for each that says them a second time."""
    for index, claim in enumerate(claims):
        if "printed" in claim:
            yield f"claim.{item_name(claim, index)}.printed: there is no such setting; the digits are those of value"
        value = claim.get("value")
        if isinstance(value, WrittenFloat) and math.isfinite(value):
            claim["printed"] = f"{Decimal(value.text):f}"
        elif isinstance(value, int):
            claim["printed"] = str(value)


def claim_mistakes(suite: Suite) -> Iterator[str]:
    """Claims about what is no cell of the suite, and two that say the same."""
    tasks, variants = [task.name for task in suite.tasks], {variant.name: variant for variant in suite.variants}
    for claim in suite.claims:
        at, variant = f"claim.{claim.task}/{claim.variant}", variants.get(claim.variant)
        if claim.task not in tasks:
            yield f"{at}.task: {unknown('task of this suite', claim.task, tasks)}"
        if variant is None:
            yield f"{at}.variant: {unknown('variant of this suite', claim.variant, variants)}"
        elif claim.task in tasks and claim.task not in (variant.tasks or tasks):
            yield f"{at}: variant '{variant.name}' is not on that task; it is on {', '.join(variant.tasks or ())}"
    sources = [(claim.task, claim.variant, claim.source.strip()) for claim in suite.claims]
    for task, variant_name, source in dict.fromkeys(sources):
        if sources.count((task, variant_name, source)) > 1:
            yield f"claim.{task}/{variant_name}: there are two of this source"
