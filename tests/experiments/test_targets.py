"""The targets of `check`: families, files and packages; every error is one sentence that says where it is."""

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from pixelbench.errors import UserError
from pixelbench.experiments.foreign.parsing import parse_settings, parse_shape
from pixelbench.experiments.foreign.targets import Target, load_target
from pixelbench.models.base import ConditionedModel

SHAPE = (1, 4, 5)
MODEL = """
import functools

from torch import nn
from torch.nn import Conv2d

import beside


class Net(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        self.layer = nn.Conv2d(1, width, 1)

    @classmethod
    def wide(cls):
        return cls(beside.WIDTH)


class Needy(nn.Module):
    def __init__(self, channels, *, levels, bias=True):
        super().__init__()


instance = Net(5)
bound = functools.partial(Net, width=4)
number = 7


def make_model():
    return Net()


def make_text():
    return "a model"


def make_needy(*arguments, **settings):
    return Needy(1, levels=2)


def fail():
    raise RuntimeError("the weights are\\nelsewhere.")


def fail_in_torch():
    first = nn.Linear(2, 2)
    return first.load_state_dict({})


def leave():
    raise SystemExit(3)


def _hidden():
    return Net()


def make_function():
    net = Net()
    return lambda images: net.layer(images)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, with model.py and what it imports; nothing of it stays imported."""
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    (tmp_path / "beside.py").write_text("WIDTH = 9\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def loaded(text: str) -> Target:
    return load_target(text, [], SHAPE, 4)


def refused(load: Callable[[], object]) -> str:
    with pytest.raises(UserError) as raised:
        load()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "width"),
    [("Net", 3), ("make_model", 3), ("bound", 4), ("instance", 5), ("Net.wide", 9), ("_hidden", 3)],
)
@pytest.mark.parametrize("where", ["model.py", "model", "{folder}/model.py"])
def test_a_module_a_class_or_a_factory(folder: Path, where: str, name: str, width: int) -> None:
    text = f"{where.format(folder=folder)}:{name}"
    target = loaded(text)
    assert isinstance(target.module, nn.Module)
    assert target.module.get_submodule("layer").weight.shape == (width, 1, 1, 1)
    assert (target.name, target.shape, target.levels) == (text, SHAPE, 4)
    assert load_target(text, [], SHAPE).levels == 256


def test_a_factory_with_free_arguments_needs_none() -> None:
    assert type(loaded("model.py:make_needy").module).__name__ == "Needy"


def test_a_factory_may_make_a_function_of_a_batch() -> None:
    """As the advice to bind a label, or to lay a video out, has it."""
    images = torch.zeros(2, *SHAPE)
    made = loaded("model.py:make_function").module
    assert isinstance(made, nn.Module)
    assert made(images).shape == (2, 3, 4, 5)


def test_a_module_of_a_package(folder: Path) -> None:
    (folder / "foreign_package").mkdir()
    (folder / "foreign_package" / "__init__.py").write_text("from .nets import Net\n", encoding="utf-8")
    (folder / "foreign_package" / "nets.py").write_text("from torch import nn\n\n\nclass Net(nn.Identity):\n    pass\n", encoding="utf-8")
    assert isinstance(loaded("foreign_package.nets:Net").module, nn.Identity)
    assert isinstance(loaded("foreign_package:Net").module, nn.Identity)
    said = refused(lambda: loaded("foreign_package.nets:Nett"))
    assert said == "'foreign_package.nets' has no 'Nett'. Did you mean 'foreign_package.nets:Net'? It defines: Net."


def test_a_file_is_not_taken_for_a_module_of_the_same_name(folder: Path) -> None:
    (folder / "json.py").write_text("from torch import nn\n\nidentity = nn.Identity()\n", encoding="utf-8")
    assert isinstance(loaded("json.py:identity").module, nn.Identity)
    assert hasattr(sys.modules["json"], "loads")


def test_a_file_may_have_dataclasses_and_any_suffix(folder: Path) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom torch import nn\n"
    text += "\n\n@dataclass\nclass Settings:\n    width: int = 3\n\n\nnet = nn.Identity()\n"
    (folder / "settings.txt").write_text(text, encoding="utf-8")
    assert isinstance(loaded(f"{folder}/settings.txt:net").module, nn.Identity)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle.py:Net", "There is no file 'modle.py'; give TARGET as path/to/file.py:name or package.module:name"),
        ("nets/model.py:Net", "There is no file 'nets/model.py'"),
        ("./:Net", "There is no file './'"),
        ("no_such_package.models:Net", "Importing 'no_such_package.models' raised ModuleNotFoundError: No module named 'no_such_package'."),
        (":Net", "Unknown model ':Net'."),
        ("model.py:Nett", "'model.py' has no 'Nett'. Did you mean 'model.py:Net'? It defines: Needy, Net, fail, fail_in_torch, instance, "),
        ("model.py:Net.wid", "'model.py' has no 'Net.wid'."),
        ("model.py:zzz", "'model.py' has no 'zzz'. It defines: Needy, Net, "),
        ("model.py:number", "'model.py:number' is a int; give an nn.Module, or a function without arguments that makes one."),
        ("model.py:make_text", "'model.py:make_text' made a str, not an nn.Module."),
        ("model.py:Needy", "'model.py:Needy' needs arguments (channels, levels); bind them in a function and give that, such as "),
        ("model.py:Needy", "`def make_model(): return Needy(channels=…, levels=…)`."),
        ("model.py:fail", "Calling 'model.py:fail' raised RuntimeError (model.py, line 43): the weights are elsewhere."),
        ("model.py:fail_in_torch", "raised RuntimeError (model.py, line 48): Error(s) in loading state_dict for Linear: Missing key(s)"),
        ("model.py:leave", "Calling 'model.py:leave' raised SystemExit (model.py, line 52): 3."),
        ("model.py", "Say which module of 'model.py' to check: model.py:Needy or model.py:Net or "),
        ("gated-pixelcn", "Unknown model 'gated-pixelcn'. Did you mean 'gated-pixelcnn'?"),
        ("gated-pixelcn", "A module of your own is given as path/to/file.py:name or package.module:name"),
        ("other.py", "Unknown model 'other.py'."),
    ],
)
def test_what_cannot_be_loaded_is_said(text: str, said: str) -> None:
    assert said in refused(lambda: loaded(text))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import torch\nx = 1 / 0\n", "raised ZeroDivisionError (broken.py, line 2): division by zero."),
        ("import torch\n\ndef make(:\n", "raised SyntaxError: invalid syntax (broken.py, line 3)."),
        ("import sys\nsys.exit()\n", "raised SystemExit (broken.py, line 2): no message."),
        ("import no_such_thing\n", "raised ModuleNotFoundError (broken.py, line 1): No module named 'no_such_thing'."),
    ],
)
def test_a_file_that_cannot_be_imported_says_where(folder: Path, source: str, said: str) -> None:
    (folder / "broken.py").write_text(source, encoding="utf-8")
    assert refused(lambda: loaded("broken.py:make")) == f"Importing 'broken.py' {said}"
    assert refused(lambda: loaded("broken.py")) == f"Importing 'broken.py' {said}"


def test_a_file_that_imports_by_dots_is_named_as_a_part_of_its_package(folder: Path) -> None:
    (folder / "outer" / "inner").mkdir(parents=True)
    for package in ("outer", "outer/inner"):
        (folder / package / "__init__.py").touch()
    for place in ("outer/inner/dotted.py", "alone.py"):
        (folder / place).write_text("from . import other\n")
    assert refused(lambda: loaded("outer/inner/dotted.py:make")).endswith(f"named outer.inner.dotted:NAME, from the folder '{folder}'.")
    assert refused(lambda: loaded("alone.py:make")).endswith("let it import without dots.")


def test_ctrl_c_while_a_file_is_imported_is_no_error_of_the_file(folder: Path) -> None:
    (folder / "broken.py").write_text("raise KeyboardInterrupt\n", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        loaded("broken.py:make")


def test_a_file_without_modules_says_how_a_target_looks(folder: Path) -> None:
    (folder / "empty.py").write_text("", encoding="utf-8")
    assert refused(lambda: loaded("empty.py")).startswith("Say which module of 'empty.py' to check: path/to/file.py:name or package")
    assert refused(lambda: loaded("empty.py:net")) == "'empty.py' has no 'net'."


def test_a_family_for_two_levels_is_checked_on_two() -> None:
    assert load_target("nade", ["hidden=5"], (1, 3, 2)).levels == 2
    assert load_target("gated-pixelcnn", ["maps=4", "layers=1"], (1, 3, 2)).levels == 256
    assert load_target("made", ["order=random"], (1, 3, 2)).name == "made, its sub-pixels laid out in its own order"
    assert "for images of 2 levels, these have 4" in refused(lambda: load_target("nade", [], (1, 3, 2), 4))


def test_own_modules_need_a_shape_and_take_no_settings() -> None:
    said = refused(lambda: load_target("model.py:Net", []))
    assert said == "Say which images 'model.py:Net' takes with --shape C,H,W, for example --shape 3,8,7: small ones take seconds."
    assert "--set is for families" in refused(lambda: load_target("model.py:Net", ["width=4"], SHAPE))


def test_a_family_has_a_small_shape_and_takes_settings() -> None:
    target = load_target("pixelcnn", ["layers=1", "maps=3", "head_maps=3", "first_layer=mask-b", "colour_conditioning=false"])
    assert (target.name, target.shape, target.levels) == ("pixelcnn", (3, 8, 7), 256)
    smaller = load_target("pixelcnn", ["layers=1", "maps=3", "head_maps=3"], (1, 5, 4), 2)
    assert (smaller.shape, smaller.levels) == ((1, 5, 4), 2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["layer=4"], "layers"),
        (["layers=many"], "layers"),
        (["layers=-1"], "layers"),
        (["layers"], "--set takes name=value, for example --set layers=4; got 'layers'."),
        (["=4"], "--set takes name=value"),
    ],
)
def test_wrong_settings_are_said(settings: list[str], said: str) -> None:
    assert said in refused(functools.partial(load_target, "pixelcnn", settings))


def test_settings_are_json_or_text() -> None:
    parsed = parse_settings(["a=4", "b=0.5", "c=false", 'd="4"', "e=mask-b", "f=", "g=x=y"])
    assert parsed == {"a": 4, "b": 0.5, "c": False, "d": "4", "e": "mask-b", "f": "", "g": "x=y"}


def test_shapes() -> None:
    assert parse_shape("3,32,31") == (3, 32, 31)
    assert parse_shape(" 1, 2,3 ") == (1, 2, 3)
    assert parse_shape("3x8x7") == (3, 8, 7)
    assert parse_shape("50") == (1, 1, 50)
    assert parse_shape("2,50") == (2, 1, 50)
    assert parse_shape(None) is None
    assert "A video of shape 3,32,32,1" in refused(functools.partial(parse_shape, "3,32,32,1"))
    for wrong in ("", "3,", "3*32*32", "0,3,3", "-1,3,3", "0", "3,a,3", "1.5,2,3", "3,32,9999999", "9999999"):
        said = refused(functools.partial(parse_shape, wrong))
        assert said == f"A shape is channels, height and width, for example 3,32,32; got '{wrong}'."


def test_a_conditional_family_is_checked_for_some_class() -> None:
    module = load_target("gated-pixelcnn", ["condition=class", "classes=3", "layers=1", "maps=6"], (1, 3, 3), 4).module
    assert isinstance(module, ConditionedModel)
    assert module.conditionals(torch.zeros(2, 1, 3, 3, dtype=torch.uint8)).shape == (2, 4, 1, 3, 3)
