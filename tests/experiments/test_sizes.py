"""The stored weights of the papers' networks are those of the networks that the code builds."""

import dataclasses
from pathlib import Path

import pytest

from pixelbench.experiments import counting, sizes
from pixelbench.models.families import FAMILIES, Family, Published
from tests.cli.cli_stores import loaded_after

ALL = [(family, entry) for family in FAMILIES.values() if family.is_own for entry in family.published]
#: Each is built in well under a second.
QUICK = [(family, entry) for family, entry in ALL if family.name in ("nade", "pixelcnn", "diagonal-bilstm", "pixelvae")]


def refuse(*_: object) -> int:
    pytest.fail("counted, though it is stored")


def test_stored_is_what_is_stated_now_and_nothing_else() -> None:
    """Else write it again: `python -m pixelbench.experiments.counting`."""
    expected = {sizes.settings_digest(family, entry): (family.name, entry.where) for family, entry in ALL}
    assert {digest: (found["family"], found["where"]) for digest, found in sizes.stored_sizes().items()} == expected


@pytest.mark.parametrize(("family", "entry"), QUICK, ids=lambda one: getattr(one, "name", getattr(one, "where", "")))
def test_counted_again(family: Family, entry: Published) -> None:
    assert sizes.stored_sizes()[sizes.settings_digest(family, entry)]["parameters"] == counting.count(family, entry)


@pytest.mark.grid
def test_all_counted_again() -> None:
    assert counting.count_all() == sizes.stored_sizes()


def test_listing_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "count", refuse)
    for family in FAMILIES.values():
        if family.is_own:
            assert [found["parameters"] for found in sizes.published_sizes(family)] == [
                sizes.stored_sizes()[sizes.settings_digest(family, entry)]["parameters"] for entry in family.published
            ]


@pytest.mark.parametrize("change", [{"version": 2}, {"build": "elsewhere:NADE"}, {"name": "nada"}], ids=["version", "class", "name"])
def test_another_network_is_no_stored_one(change: dict) -> None:
    family = FAMILIES["nade"]
    (entry,) = family.published
    assert sizes.settings_digest(dataclasses.replace(family, **change), entry) not in sizes.stored_sizes()


@pytest.mark.parametrize(
    "change", [{"shape": (1, 14, 14)}, {"levels": 3}, {"settings": {"hidden": 499}}], ids=["shape", "levels", "setting"]
)
def test_other_settings_are_counted_live(monkeypatch: pytest.MonkeyPatch, change: dict) -> None:
    family = FAMILIES["nade"]
    changed = dataclasses.replace(family, published=(dataclasses.replace(family.published[0], **change),))
    monkeypatch.setattr(counting, "count", lambda *_: 17)
    assert [found["parameters"] for found in sizes.published_sizes(changed)] == [17]


def test_a_family_of_another_package_is_counted_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "count", lambda *_: 17)
    monkeypatch.setattr(Family, "is_own", property(lambda _: False))
    assert [found["parameters"] for found in sizes.published_sizes(FAMILIES["nade"])] == [17]


def test_the_list_of_models_loads_no_torch(tmp_path: Path) -> None:
    assert loaded_after(["list", "models"], ("torch", "numpy"), tmp_path) == "0 []"
