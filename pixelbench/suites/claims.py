"""Claims of a suite's own: their digits as they are written, and whether each is about a cell of the suite. No torch."""

import math
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pixelbench.errors import shortened, unknown
from pixelbench.suites.parsing import item_name
from pixelbench.suites.schema import Suite

#: Of a printed number, before or after the point.
_MOST_DIGITS = 40


class WrittenFloat(float):
    """A number of a TOML file that remembers how it is written there."""

    text: str

    def __new__(cls, text: str) -> "WrittenFloat":
        number = super().__new__(cls, text)
        number.text = text.replace("_", "")
        return number


def fill_in_printed(claims: list[dict[str, Any]]) -> Iterator[str]:
    """Give each claim the digits of its value as the file has them; an error for each that says them a second time."""
    for index, claim in enumerate(claims):
        if "printed" in claim:
            yield f"claim.{item_name(claim, index)}.printed: there is no such setting; the digits are those of value"
        value = claim.get("value")
        if isinstance(value, WrittenFloat) and math.isfinite(value):
            if len(value.text) > _MOST_DIGITS or abs(Decimal(value.text).adjusted()) > _MOST_DIGITS:  # 1e-99999999 is 0.000…
                yield f"claim.{item_name(claim, index)}.value: expected a number as a paper prints it, got {shortened(value.text, 40)}"
            else:
                claim["printed"] = f"{Decimal(value.text):f}"
        elif isinstance(value, int) and abs(value) < 2**63:  # a larger one is an error already
            claim["printed"] = str(value)


def claim_errors(suite: Suite) -> Iterator[str]:
    """Claims about what is no cell of the suite, and two that say the same."""
    tasks, variants = [task.name for task in suite.tasks], {variant.name: variant for variant in suite.variants}
    for claim in suite.claims:
        at, variant = f"claim.{shortened(claim.task)}/{shortened(claim.variant)}", variants.get(claim.variant)
        if claim.task not in tasks:
            yield f"{at}.task: {unknown('task of this suite', claim.task, tasks)}"
        if variant is None:
            yield f"{at}.variant: {unknown('variant of this suite', claim.variant, variants)}"
        elif claim.task in tasks and claim.task not in (variant.tasks or tasks):
            yield f"{at}: variant '{variant.name}' is not on that task; it is on {', '.join(variant.tasks or ())}"
    sources = Counter((claim.task, claim.variant, claim.source.strip()) for claim in suite.claims)
    for (task, variant_name, _), count in sources.items():
        if count > 1:
            yield f"claim.{task}/{variant_name}: there are two of this source"
