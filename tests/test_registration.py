"""What is registered by name: once, by a name that can be one, and found where a package announces it."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pixelbench import registration
from pixelbench.data import TASKS, Task, register_task
from pixelbench.errors import UserError
from pixelbench.evaluation.quality import STATISTICS, check_statistics, own_statistics, register_statistic, sample_statistics
from pixelbench.models.families import FAMILIES, register_family
from pixelbench.models.settings.baselines import NoSettings
from pixelbench.registration import Registry

pytestmark = pytest.mark.quick


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path, whose modules are forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    registration._announced.cache_clear()
    registration.import_plugins.cache_clear()
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("outside_"):
            del sys.modules[name]
    registration._announced.cache_clear()
    registration.import_plugins.cache_clear()


def announce(place: Path, points: str, name: str = "their-package") -> None:
    """Write the metadata of an installed package whose entry points are these lines."""
    folder = place / f"{name.replace('-', '_')}-1.2.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    (folder / "entry_points.txt").write_text(f"[tests.things]\n{points}\n")


def things() -> Registry[int]:
    """An empty registry."""
    return Registry("thing", "tests.things")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry[int]:
    """A registry that modules of tests can register in."""
    found = things()
    monkeypatch.setattr(registration, "of_tests", found, raising=False)
    return found


REGISTERS = "from pixelbench import registration\nregistration.of_tests.add({name!r}, 5, __name__)\n"


def test_ours_are_registered_as_others_are() -> None:
    for registry, some in ((FAMILIES, "made"), (TASKS, "digits"), (STATISTICS, "zeros")):
        assert some in registry
        assert registry.is_own(some)
        assert all(registry.is_own(name) for name in registry.usable()[0])
        assert registry.distribution(some) is None


def test_a_mapping_of_what_was_registered() -> None:
    registry = things()
    registry.add("one", 1, "theirs")
    assert (registry["one"], registry.get("two"), list(registry), len(registry), "two" in registry) == (1, None, ["one"], 1, False)
    with pytest.raises(KeyError):
        registry["two"]


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x/y", "ä"])
def test_a_name_that_no_folder_can_have_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="holds letters, digits"):
        things().add(name, 1, "theirs")


def test_a_name_is_taken_once_but_by_the_same_module_again() -> None:
    """A cell of a notebook is run again; ours cannot be replaced, not even by us."""
    registry = things()
    registry.add("one", 1, "theirs")
    registry.add("one", 2, "theirs")
    assert registry["one"] == 2
    with pytest.raises(UserError, match="theirs has registered a thing 'one' already; register that of others under another name"):
        registry.add("one", 3, "others")
    registry.add("own", 1, "pixelbench.things")
    for module in ("theirs", "pixelbench.things"):
        with pytest.raises(UserError, match="already"):
            registry.add("own", 2, module)
    assert (registry["one"], registry["own"]) == (2, 1)


def test_an_entry_point_is_loaded_when_it_is_asked_for(place: Path, registry: Registry[int]) -> None:
    (place / "outside_good.py").write_text(REGISTERS.format(name="good"))
    announce(place, "good = outside_good")
    assert list(registry) == ["good"]
    assert "outside_good" not in sys.modules
    assert registry["good"] == 5
    assert (registry.is_own("good"), registry.distribution("good")) == (False, ("their-package", "1.2"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import outside_nothing", "(ModuleNotFoundError: No module named 'outside_nothing'); fix that package or uninstall it."),
        ("raise SystemExit(3)", "(SystemExit: 3); fix that package or uninstall it."),
        ("def f(:", "(SyntaxError: invalid syntax"),
        ("", ": outside_bad registers no thing of that name."),
    ],
)
def test_a_broken_entry_point_is_one_sentence_where_it_is_used(place: Path, registry: Registry[int], source: str, said: str) -> None:
    (place / "outside_bad.py").write_text(source)
    (place / "outside_good.py").write_text(REGISTERS.format(name="good"))
    announce(place, "bad = outside_bad\ngood = outside_good")
    assert registry["good"] == 5
    with pytest.raises(UserError) as raised:
        registry["bad"]
    sentence = str(raised.value)
    assert sentence.startswith("The thing 'bad' of the package their-package 1.2 cannot be loaded")
    assert said in sentence
    assert "\n" not in sentence
    with pytest.raises(UserError) as again:  # it is remembered
        registry["bad"]
    assert str(again.value) == sentence
    assert registry.get("bad") is None
    assert "bad" in registry
    found, problems = registry.usable()
    assert (found, problems) == ({"good": 5}, [sentence])


def test_an_entry_point_cannot_take_a_name_of_ours(place: Path, registry: Registry[int]) -> None:
    registry.add("own", 1, "pixelbench.things")
    (place / "outside_thief.py").write_text(REGISTERS.format(name="own"))
    announce(place, "own = outside_thief")
    assert registry["own"] == 1
    assert registry.usable() == (
        {"own": 1},
        ["The thing 'own' of the package their-package 1.2 is left out: it has the name of one of ours."],
    )


def test_modules_that_the_environment_names_are_imported(place: Path, registry: Registry[int], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (place / f"outside_{name}.py").write_text(REGISTERS.format(name=name))
    monkeypatch.setenv("PIXELBENCH_PLUGINS", "outside_one, outside_two,")
    assert registry["two"] == 5
    assert sorted(registry) == ["one", "two"]


def test_a_module_of_the_environment_that_is_not_there_is_said(
    place: Path, registry: Registry[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add("known", 1, "theirs")
    monkeypatch.setenv("PIXELBENCH_PLUGINS", "outside_gone")
    assert registry["known"] == 1  # what does not need it goes on
    with pytest.raises(UserError, match=r"PIXELBENCH_PLUGINS names 'outside_gone', which cannot be imported \(ModuleNotFoundError"):
        registry["other"]


FITS = {"build": "theirs:Net", "title": "t", "paper": "p"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": " "}, "must not be empty"),
        ({"paper": ""}, "must not be empty"),
        ({"kind": "net"}, "kind must be one of network, fitted, codec"),
        ({"build": "theirs"}, "build must be a class of a module or 'module:class'"),
        ({"build": ":Net"}, "build must be a class of a module or 'module:class'"),
        ({"narrow": {"maps": 4}}, "narrow names maps, which its settings do not have"),
    ],
)
def test_a_family_that_cannot_be_is_refused_when_it_is_registered(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        register_family("theirs", **FITS | changes)(NoSettings)  # type: ignore[arg-type]
    assert "theirs" not in FAMILIES


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("Edges", {}, "its name is a column"),
        ("edges", {"title": ""}, "must not be empty"),
        ("edges", {"unit": "metre"}, "unit must be one of share, ratio"),
        ("edges", {"better": "nicer"}, "better must be one of as real images, higher, lower"),
    ],
)
def test_a_statistic_that_cannot_be_is_refused(name: str, changes: dict[str, object], said: str) -> None:
    about = {"title": "t", "meaning": "m"} | changes
    with pytest.raises(ValueError, match=said):
        register_statistic(name, **about)(lambda images, levels: 0.0)  # type: ignore[arg-type]
    assert name not in STATISTICS


def task(**changes: object) -> Task:
    """A task that could be registered, but for the changes."""
    values = {name: getattr(TASKS["digits"], name) for name in ("channels", "height", "width", "levels", "digest", "builder", "sizes")}
    about = dict.fromkeys(("title", "preprocessing", "split_rule", "source"), "said")
    return Task(**{"name": "theirs", **values, **about, **changes})


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"levels": 1}, ValueError, "2 to 65,536 levels"),
        ({"levels": 65_537}, ValueError, "2 to 65,536 levels"),
        ({"height": 0}, ValueError, "positive sizes"),
        ({"name": "folder:mine"}, ValueError, "stands for images of a user"),
        ({"name": "imagenet32"}, ValueError, "stands for images of a user"),
        ({"name": "digits"}, UserError, "has registered a task 'digits' already"),
    ],
)
def test_a_task_that_cannot_be_is_refused(changes: dict[str, object], error: type[Exception], said: str) -> None:
    before = TASKS["digits"]
    with pytest.raises(error, match=said):
        register_task(task(**changes))
    assert "theirs" not in TASKS
    assert TASKS["digits"] is before


@pytest.fixture
def fickle() -> Iterator[list[object]]:
    """A registered statistic that gives, or raises, what the list holds last."""
    answers: list[object] = [0.5]

    def function(images: np.ndarray, levels: int) -> float | None:
        if isinstance(answers[-1], Exception):
            raise answers[-1]
        return answers[-1]  # type: ignore[return-value]

    register_statistic("fickle", title="t", meaning="m")(function)
    yield answers
    for known in (STATISTICS._entries, STATISTICS._modules):
        del known["fickle"]


IMAGES = np.zeros((2, 1, 3, 3), np.uint8)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ZeroDivisionError("none"), "The statistic 'fickle' raised ZeroDivisionError: none."),
        ("many", "The statistic 'fickle' raised ValueError"),
        (float("nan"), "The statistic 'fickle' gave nan; None says that it is undefined."),
    ],
)
def test_a_statistic_of_others_stops_before_training_and_costs_nothing_after_it(fickle: list[object], answer: object, said: str) -> None:
    assert sample_statistics(IMAGES, 4)["fickle"] == 0.5
    check_statistics(IMAGES, 4)
    fickle.append(answer)
    with pytest.raises(UserError, match=re.escape(said)):
        check_statistics(IMAGES, 4)
    with pytest.warns(UserWarning, match=re.escape(said)):
        found = sample_statistics(IMAGES, 4)
    assert found["fickle"] is None
    assert found["zeros"] == 1


def test_none_is_no_fault_of_a_statistic(fickle: list[object]) -> None:
    fickle.append(None)
    check_statistics(IMAGES, 4)
    assert sample_statistics(IMAGES, 4)["fickle"] is None
    assert "fickle" not in own_statistics()
