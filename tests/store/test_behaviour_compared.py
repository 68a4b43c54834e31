"""Two fingerprints compared: what differs is named, rounding is not, and what is no fingerprint is said in a sentence."""

import copy
from typing import Any

import pytest

from pixelbench.store.behaviour import differences

SOUND: dict[str, Any] = {
    "miniature": 1,
    "torch": "2.13.0",
    "numbers": {"training curve": [4.0, 2.0, 1e-6], "nothing": [0.0, 0.0], "empty": []},
    "rough": {"nats in float32": [100.0, 0.5]},
    "exact": {"samples": "ab12", "test images": [5, 3]},
    "libraries": {"pillow 12.1.0": {"code length": 2968}},
}


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    found = copy.deepcopy(SOUND)
    inner: Any = found
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = to
    return found


@pytest.mark.parametrize(
    "other",
    [
        SOUND,
        changed("torch", to="2.12.1"),
        changed("numbers", "training curve", to=[4.0, 2.0, 1e-6 + 3.9e-9]),
        changed("numbers", "training curve", 0, to=4),
        changed("rough", "nats in float32", 1, to=0.509),
        changed("rough", "nats in bfloat16", to=[99.0]),
        changed("exact", "nats in bfloat16", to="not finite"),
        changed("libraries", to={}),
        changed("libraries", to={"pillow 11.3.0": {"code length": 3000}}),
    ],
    ids=["itself", "torch", "rounding", "whole number", "rough", "former part", "former part, not finite", "no library", "another library"],
)
def test_what_is_the_same(other: dict[str, Any]) -> None:
    assert differences(SOUND, other) == differences(other, SOUND) == []


@pytest.mark.parametrize(
    ("other", "names"),
    [
        (changed("numbers", "training curve", 2, to=1e-6 + 4.1e-9), ["training curve"]),
        (changed("numbers", "training curve", to=[4.0, 2.0]), ["training curve"]),
        (changed("numbers", "nothing", 1, to=1e-300), ["nothing"]),
        (changed("numbers", "empty", to=[0.0]), ["empty"]),
        (changed("rough", "nats in float32", 1, to=0.511), ["nats in float32"]),
        (changed("rough", "nats under autocast", to=[99.0]), ["nats under autocast"]),
        (changed("exact", "samples", to="ab13"), ["samples"]),
        (changed("exact", "test images", 1, to=4), ["test images"]),
        (changed("exact", "more", to=1), ["more"]),
        (changed("numbers", "more", to=[]), ["more"]),
        (changed("exact", to={}), ["samples", "test images"]),
        (changed("libraries", "pillow 12.1.0", "code length", to=2969), ["pillow 12.1.0"]),
        (changed("miniature", to=2), ["miniature"]),
        (changed("exact", "failure", to="ValueError: no"), ["failure"]),
    ],
)
def test_what_differs_is_named(other: dict[str, Any], names: list[str]) -> None:
    assert differences(SOUND, other) == differences(other, SOUND) == names


def test_a_part_that_moved_to_another_group_is_named_once() -> None:
    moved = changed("exact", "training curve", to="not finite")
    del moved["numbers"]["training curve"]
    assert differences(SOUND, moved) == differences(moved, SOUND) == ["training curve"]
    assert differences(moved, moved) == []


def test_code_that_fails_is_never_the_same_as_before() -> None:
    failed = changed("exact", "failure", to="ValueError: no")
    assert differences(failed, failed) == ["failure"]


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (None, "expected an object, got NoneType"),
        ([SOUND], "expected an object, got list"),
        ({}, "'miniature' must be a whole number, got None"),
        (changed("miniature", to=True), "'miniature' must be a whole number, got True"),
        (changed("torch", to=2.13), "'torch' must be a version, got 2.13"),
        (changed("numbers", to=None), "'numbers' must be an object, got None"),
        (changed("rough", to=[1.0]), "'rough' must be an object"),
        (changed("numbers", "training curve", to=4.0), "'numbers' must hold lists of finite numbers, got 4.0 as 'training curve'"),
        (changed("numbers", "training curve", 0, to=float("nan")), "lists of finite numbers"),
        (changed("numbers", "training curve", 0, to=10**400), "lists of finite numbers"),
        (changed("rough", "nats in float32", 0, to=True), "lists of finite numbers"),
        (changed("rough", "nats in float32", 0, to="1"), "lists of finite numbers"),
        (changed("libraries", to="pillow"), "'libraries' must be an object"),
    ],
)
def test_what_is_no_fingerprint_is_said(damaged: Any, said: str) -> None:
    for pair in ((SOUND, damaged), (damaged, SOUND)):
        with pytest.raises(ValueError, match="This is no fingerprint of behaviour: ") as caught:
            differences(*pair)
        assert said in str(caught.value)


def test_a_fingerprint_without_one_of_its_groups() -> None:
    for group in ("numbers", "rough", "exact", "libraries"):
        with pytest.raises(ValueError, match=f"'{group}' must be an object, got None"):
            differences(SOUND, {name: value for name, value in SOUND.items() if name != group})
