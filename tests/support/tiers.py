"""Which cases of a long list run by default: those that the marker `by_default` says; the others get the marker `slow`."""

from collections import defaultdict
from collections.abc import Iterable

import pytest


def mark_slow(items: Iterable[pytest.Item]) -> None:
    """Mark the cases slow that their test's `by_default` leaves out.

    `by_default(3)` keeps three cases, spread over the list as it was collected, and so the one of a single case that was asked for;
    `by_default("gated", "grey")` keeps those whose id has one of these between its hyphens.
    """
    cases: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("by_default") and not any(item.get_closest_marker(tier) for tier in ("slow", "grid")):
            cases[item.nodeid.partition("[")[0]].append(item)
    for listed in cases.values():
        for item in set(listed) - set(_kept(listed)):
            item.add_marker("slow")


def _kept(listed: list[pytest.Item]) -> list[pytest.Item]:
    marker = listed[0].get_closest_marker("by_default")
    assert marker is not None
    if isinstance(marker.args[0], str):
        return [item for item in listed if set(marker.args) & set(item.nodeid.partition("[")[2].removesuffix("]").split("-"))]
    return [listed[round(place * len(listed) / marker.args[0])] for place in range(min(marker.args[0], len(listed)))]
