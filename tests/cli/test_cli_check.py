"""`pixelbench check`: exit codes, what is said to people, and the JSON document field by field."""

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelbench.errors import UserError
from pixelbench.experiments.foreign import checking
from pixelbench.experiments.foreign import own_process as foreign
from pixelbench.experiments.foreign.checking import Answer, CheckRequest, answers
from pixelbench.experiments.foreign.parsing import parse_size
from tests.cli.cli_stores import Pixelbench, loaded_after, only_json

MODEL = '''
import math

import torch
import torch.nn.functional as F
from torch import nn

print("imported")


class Net(nn.Module):
    """Sees all rows above up to its own column and one to the right, and its own row; with `own` also itself."""

    def __init__(self, own=False, outputs=4):
        super().__init__()
        self.own, self.outputs = own, outputs
        self.weight = nn.Parameter(torch.randn(outputs))

    def forward(self, images):
        print("called")
        x = images.double() / 3
        left = x.cumsum(3) - x
        above = F.pad(x.cumsum(2)[:, :, :-1], (0, 0, 1, 0))
        seen = left + above.cumsum(3) + (x if self.own else 0)
        return (seen[:, :1] * 0 + seen.sum(1, keepdim=True)) * self.weight.view(-1, 1, 1)


def slow():
    import time

    time.sleep(0.3)
    return Net()


class Trained(Net):
    def forward(self, images):
        return super().forward(images) + (images.double() if self.training else 0)


class Blind(nn.Module):
    def forward(self, images):
        return F.pad(images.double(), (2, 0))[..., :-2].expand(-1, 4, -1, -1)


class NaN(nn.Module):
    def forward(self, images):
        return images.double() * float("nan")


class Cropped(nn.Module):
    def forward(self, images):
        return images.double()[..., 1:]


class Many(Net):
    def forward(self, images):
        return {"logits": super().forward(images), "aux": images.double()}


class Colours(nn.Module):
    """(k c) or (c k)?"""

    def forward(self, images):
        return F.pad(images.double()[:, :, :-1], (0, 0, 1, 0)).repeat(1, 2, 1, 1)


class Columns(nn.Module):
    def forward(self, images):
        x = images.double()
        return F.pad(x.sum(2, keepdim=True).expand_as(x), (1, 0))[..., :-1] + x.cumsum(2) - x


class Scored(nn.Module):
    def __init__(self, nats=0.0):
        super().__init__()
        self.nats = nats

    def log_prob(self, images):
        print("scored")
        return torch.full((len(images),), self.nats)


def leaky():
    return Net(own=True)


def fair():
    return Scored(-6 * math.log(2))


def broken():
    raise ValueError("no weights here")


class Drawn(nn.Module):
    """Green and blue are as red, nearly; `together` draws all three from one pass."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))

    def forward(self, images):
        red = images[:, :1].double()
        return torch.cat([red * 0, (2 * red - 1) * self.weight, (2 * images[:, 1:2].double() - 1) * self.weight], 1)

    def sample(self, n):
        images = torch.zeros(n, 3, 1, 1)
        for colour in range(3):
            images[:, colour] = torch.bernoulli(self(images)[:, colour].sigmoid())
        return images

    def together(self, n):
        return torch.bernoulli(self(torch.zeros(n, 3, 1, 1)).sigmoid())
'''
SMALL = ("--shape", "1,3,4", "--levels", "4")
TINY = ("--shape", "3,1,1", "--levels", "2", "--output", "b c h w")
FAMILY = ("--set", "layers=1", "--set", "maps=2", "--set", "head_maps=2", *SMALL)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spares most tests the second process, not the way there and back; those of test_cli_check_process.py have it."""

    def answers_from_here(request: CheckRequest, *, spent: float) -> Iterator[Answer]:
        with contextlib.redirect_stdout(io.StringIO()):
            yield from map(
                json.loads, map(json.dumps, answers(CheckRequest.from_json(json.loads(json.dumps(request.to_json()))), spent=spent))
            )

    monkeypatch.setattr(foreign, "answers_from_own_process", answers_from_here)


@pytest.fixture
def check(pixelbench: Pixelbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pixelbench:
    """Checks a name of the model file on small images."""
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])

    def call(name: str, *arguments: str) -> tuple[int, str, str]:
        return pixelbench("check", f"model.py:{name}", *(() if "--shape" in arguments else SMALL), *arguments)

    return call


def document(check: Pixelbench, name: str, *arguments: str) -> dict[str, Any]:
    return only_json(check(name, *arguments, "--json")[1])


def test_a_correct_model(check: Pixelbench) -> None:
    code, out, err = check("Net")
    assert code == 0
    assert "model.py:Net (1x3x4, eval mode): No leak found (complete map, tolerance 1e-10 in float64)." in out
    assert "Blind spots: none." in out
    assert "called" not in out
    assert "Checking model.py:Net on 1x3x4 images …\n" in err


def test_a_broken_model_names_the_fault(check: Pixelbench) -> None:
    code, out, _ = check("leaky")
    assert code == 1
    assert "model.py:leaky (1x3x4, eval mode): Not causal: input (" in out
    assert "Order: none can save it" in out
    assert "Diagnosis:\n- sees-itself" in out


def test_the_document_of_a_leaky_model(check: Pixelbench) -> None:
    code, out, err = check("leaky", "--json")
    found = only_json(out)
    assert code == 1
    assert "imported" not in err
    expected = {"schema": 1, "target": "model.py:leaky", "shape": [1, 3, 4], "mode": "eval", "verdict": "leaky", "complete": True}
    expected |= {"batch_coupling": False, "repeatable": True, "order": None, "colour_conditioning": {"0": []}, "missing": found["missing"]}
    assert {name: found[name] for name in expected} == expected
    (leak,) = found["leaks"]
    effect = leak["example"].pop("effect")
    assert 1e-10 < effect <= 2
    place = leak["example"]["input"]
    assert leak == {"offset": [0, 0], "input_colour": 0, "output_colour": 0, "count": 12, "example": {"input": place, "output": place}}
    assert len(place) == 3
    assert all(0 <= index < size for index, size in zip(place, (1, 3, 4), strict=True))
    assert found["context"] == {"rows_above": 2, "columns_left": 3, "columns_right": 0}
    assert all(isinstance(sentence, str) and sentence.endswith(".") for sentence in found["diagnosis"])
    assert found["diagnosis"]
    assert (found["method"]["dtype"], found["method"]["tolerance"]) == ("float64", 1e-10)
    assert "all 12 sub-pixels" in found["method"]["probes"]
    assert found["seconds"] > 0


def test_missing_context_is_listed(check: Pixelbench) -> None:
    missing = document(check, "Blind")["missing"]
    assert {"offset": [0, -1], "input_colour": 0, "output_colour": 0, "inside": True} in missing
    assert {"offset": [-1, 0], "input_colour": 0, "output_colour": 0, "inside": False} in missing


@pytest.mark.parametrize(("name", "code"), [("Net", 0), ("Blind", 1), ("leaky", 1)])
def test_strict_fails_on_blind_spots(check: Pixelbench, name: str, code: int) -> None:
    assert check(name, "--strict")[0] == code
    assert check("Blind")[0] == 0


def test_strict_fails_on_missing_colour_conditioning(check: Pixelbench) -> None:
    options = ("--shape", "3,3,2", "--levels", "4", "--output", "b (k c) h w")
    assert check("Colours", *options)[0] == 0
    code, out, _ = check("Colours", *options, "--strict", "--json")
    assert code == 1
    assert only_json(out)["colour_conditioning"] == {"0": [], "1": [], "2": []}


def test_both_modes_are_a_list(check: Pixelbench) -> None:
    code, out, _ = check("Trained", "--mode", "both", "--json")
    assert code == 1
    assert [(one["mode"], one["verdict"]) for one in only_json(out)] == [("eval", "causal"), ("train", "leaky")]  # type: ignore[index]
    assert check("Trained")[0] == 0
    assert check("Trained", "--mode", "train")[0] == 1


def test_before_and_after_a_step_are_a_list(check: Pixelbench) -> None:
    code, out, _ = check("Net", "--after-step", "--json")
    assert code == 0
    assert [(one["after_step"], one["verdict"]) for one in only_json(out)] == [(False, "causal"), (True, "causal")]  # type: ignore[index]


def test_another_order_is_named(check: Pixelbench) -> None:
    code, out, _ = check("Columns")
    assert code == 1
    assert "Order: leaky in raster order, causal in this one: column-major." in out
    assert document(check, "Columns")["order"] == "column-major"


def test_the_time_asked_for_counts_from_the_start_of_the_command(check: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    from pixelbench.causality import certificates

    given: list[float] = []

    def measured(*arguments: Any, seconds: float, **options: Any) -> Any:
        given.append(seconds)
        return real(*arguments, seconds=seconds, **options)

    real = certificates.check_causality
    monkeypatch.setattr(certificates, "check_causality", measured)
    check("slow", "--seconds", "30")
    assert given[0] < 29.8


def test_too_little_time_is_never_plain_causal(check: Pixelbench) -> None:
    found = document(check, "Net", "--seconds", "0.000001")
    assert (found["verdict"], found["complete"]) == ("partial", False)


def test_the_same_command_gives_the_same_certificate(pixelbench: Pixelbench) -> None:
    command = ("check", "pixelcnn", *FAMILY, "--set", "first_layer=mask-b", "--json")
    one, other, another = (only_json(pixelbench(*command, "--seed", seed)[1]) | {"seconds": 0} for seed in ("0", "0", "1"))
    assert one == other
    assert one["leaks"] != another["leaks"]


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("broken", (), "Calling 'model.py:broken' raised ValueError (model.py, line 92): no weights here."),
        ("Cropped", (), "it has not the 3 rows and 4 columns of the images"),
        ("NaN", (), "NaN"),
        ("Many", (), "--select logits or --select aux"),
        ("Many", ("--select", "logit"), "Did you mean 'logits'?"),
        ("Net", ("--output", "b k c h"), "it has no 'w'"),
        ("Net", ("--output", "b (k c) h"), "it has no 'w'"),
        ("Colours", ("--shape", "3,3,2"), '--output: "b (k c) h w" or "b (c k) h w" or "b k h w"'),
        ("Net", ("--shape", "1,2,3,4,5"), "A shape is channels, height and width"),
        ("Net", ("--shape", "4,1,2,3"), "A video of shape 4,1,2,3, (T, C, H, W), is checked as an image of its frames"),
        ("Nett", (), "Did you mean 'model.py:Net'?"),
        ("Net", ("--set", "own=true"), "--set is for families"),
        ("Net", ("--seconds", "-1"), "seconds must be more than 0"),
        ("Net", ("--seconds", "nan"), "seconds must be more than 0"),
        ("Net", ("--device", "cud"), "Unknown device 'cud'"),
        ("Net", ("--plot", "map.pdf"), "--plot 'map.pdf' must end in .png or .svg."),
        ("Net", ("--plot", "nowhere/map.png"), "--plot 'nowhere/map.png' must be"),
        ("Net", ("--sums-to-one", "--shape", "1,2,3"), "Net has no log_prob(images)"),
        ("Net", ("--images", "digts"), "--images takes a folder of images or a task, and there is no such folder. Unknown task 'digts'."),
        ("Drawn", (*TINY, "--sampler", "smple"), "Drawn has no smple. It has: sample."),
        ("Drawn", (*TINY, "--sampler", "sample", "--sums-to-one"), "--sums-to-one has no meaning beside --sampler"),
        ("Drawn", (*TINY, "--sampler", "sample", "--strict"), "--strict has no meaning beside --sampler"),
        ("Drawn", (*TINY, "--sampler", "sample", "--order", "any"), "--order has no meaning beside --sampler"),
        ("Drawn", (*TINY, "--method", "nll"), "--method names what scores images for --sums-to-one or --sampler"),
        ("fair", ("--sums-to-one", "--mode", "both"), "--mode has no meaning beside --sums-to-one"),
        ("fair", ("--sums-to-one", "--after-step"), "--after-step has no meaning beside --sums-to-one"),
        ("fair", ("--sums-to-one", "--shape", "3,8,7"), "are more than 65,536 images; enumerate a smaller shape"),
    ],
)
def test_what_cannot_be_checked_is_one_sentence_and_2(check: Pixelbench, name: str, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = check(name, *arguments)
    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]
    assert "Traceback" not in err
    code, out, _ = check(name, *arguments, "--json")
    assert code == 2
    error = only_json(out)
    assert set(error) == {"schema", "error"}
    assert error["schema"] == 1
    assert said in error["error"]


def test_a_family_with_settings(pixelbench: Pixelbench) -> None:
    assert pixelbench("check", "pixelcnn", *FAMILY)[0] == 0
    assert pixelbench("check", "pixelcnn", *FAMILY, "--set", "first_layer=mask-b")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pixelcn",), "Unknown model 'pixelcn'. Did you mean 'pixelcnn'?"),
        (("pixelcnn", "--set", "layer=4"), "layers"),
        (("png",), "not a module"),
        (("model.py:Net", "--shape", "1,3,4"), "There is no file 'model.py'"),
        (("pixelcnn", "--mode", "evil"), "evil"),
        (("pixelcnn", "--levels", "1"), "--levels"),
        ((), "TARGET"),
    ],
)
def test_wrong_use(pixelbench: Pixelbench, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = pixelbench("check", *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_each_report_has_a_picture_of_its_own(check: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, bool, str]] = []
    monkeypatch.setattr(
        "pixelbench.causality.render.picture.write_map", lambda report, path: drawn.append((report.mode, report.after_step, str(path)))
    )
    assert check("Net", "--plot", "map.svg")[2].endswith("Map: map.svg\n")
    assert check("Net", "--plot", "map.PNG", "--mode", "both", "--after-step", "--json")[0] == 0
    pictures = [("eval", False, "map-eval.PNG"), ("eval", True, "map-eval-after-step.PNG")]
    pictures += [("train", False, "map-train.PNG"), ("train", True, "map-train-after-step.PNG")]
    assert drawn == [("eval", False, "map.svg"), *pictures]


def test_a_selected_output_is_checked(check: Pixelbench) -> None:
    assert check("Many", "--select", "logits")[0] == 0


def test_sums_to_one(check: Pixelbench) -> None:
    tiny = ("--sums-to-one", "--shape", "1,2,3", "--levels", "2")
    code, out, _ = check("fair", *tiny)
    assert code == 0
    assert "the probabilities of all 64 images of 1x2x3 with 2 levels sum to 1: log_prob is a log-likelihood." in out
    assert "scored" not in out
    code, out, _ = check("Scored", *tiny, "--json")
    assert code == 1
    found = only_json(out)
    assert (found["schema"], found["verdict"], found["total"]) == (1, "not normalised", pytest.approx(64))


def test_a_sampler_that_draws_from_its_own_probabilities_and_one_that_does_not(check: Pixelbench) -> None:
    code, out, err = check("Drawn", *TINY, "--sampler", "sample")
    assert code == 0
    assert "model.py:Drawn: 20,000 draws of sample on 3x1x1 images of 2 levels are as frequent as the module's own" in out
    assert "Drawing images of 3x1x1 …\n" in err
    code, out, _ = check("Drawn", *TINY, "--sampler", "together", "--json")
    found = only_json(out)
    assert (code, found["verdict"], found["faults"]) == (1, "differs", ["colours-sampled-together"])


def test_a_sampler_of_what_depends_on_nothing_is_undecided(pixelbench: Pixelbench) -> None:
    code, out, _ = pixelbench("check", "uniform", "--sampler", "sample")
    assert code == 2
    assert out.startswith("uniform: Undecided. 20,000 draws of sample")


def test_a_family_sums_to_one_and_a_leaky_one_does_not(pixelbench: Pixelbench) -> None:
    small = ("--sums-to-one", "--set", "layers=1", "--set", "maps=2", "--set", "head_maps=2")
    code, out, _ = pixelbench("check", "pixelcnn", *small, "--json")
    assert code == 0
    assert "raster" in only_json(out)["orders"]
    assert pixelbench("check", "pixelcnn", *small, "--set", "first_layer=residual")[0] == 1


def test_help_says_that_the_file_is_executed_and_where(pixelbench: Pixelbench) -> None:
    said = " ".join(pixelbench("check", "--help")[1].split())
    assert "A module of your own is executed: its file is imported and its code run, with your rights, in a process of its own" in said


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GiB", 2**32), ("4 gib", 2**32), ("2G", 2 * 10**9), ("500MB", 5 * 10**8), ("1.5TiB", 3 * 2**39), ("300k", 300_000), (None, None)],
)
def test_sizes_of_memory(text: str | None, size: int | None) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "4", "GiB", "-4GiB", "0GiB", "nanGiB", "1e9GiB", "4GiBs", "999999999999TiB", "٤GiB"])
def test_what_is_no_size_of_memory(check: Pixelbench, text: str) -> None:
    with pytest.raises(UserError, match="--memory is a size such as 4GiB"):
        parse_size(text)
    assert check("Net", f"--memory={text}")[0] == 2


def test_a_fault_of_ours_is_2_and_says_so(pixelbench: Pixelbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("oops")

    monkeypatch.setattr(checking, "_loaded", broken)
    monkeypatch.delenv("PIXELBENCH_DEBUG", raising=False)
    code, out, err = pixelbench("check", "pixelcnn", *FAMILY)
    said = "This is a fault of PixelBench (KeyError: 'oops'): please report it with the module's code and what PIXELBENCH_DEBUG=1 shows."
    assert (code, out, err) == (2, "", said + "\n")
    assert only_json(pixelbench("check", "pixelcnn", *FAMILY, "--json")[1])["error"] == said
    monkeypatch.setenv("PIXELBENCH_DEBUG", "1")
    code, _, err = pixelbench("check", "pixelcnn", *FAMILY)
    assert code == 2
    assert err.startswith("Traceback")
    assert err.endswith(said + "\n")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_terminal_without_the_characters(
    pixelbench: Pixelbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Mirror image of all others, whose stdout has them."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    (tmp_path / "módel.py").write_text(MODEL, encoding="utf-8")
    assert pixelbench("check", "módel.py:Net", *SMALL, *arguments)[0] == 0
    text = stream.buffer.getvalue().decode("ascii")
    if arguments:
        assert only_json(text)["target"] == "módel.py:Net"
    else:
        assert "m?del.py:Net (1x3x4, eval mode): No leak found" in text
        assert "(# seen" in text


def test_help_shows_examples_and_loads_no_torch(pixelbench: Pixelbench, tmp_path: Path) -> None:
    code, out, _ = pixelbench("check", "--help")
    assert code == 0
    assert "pixelbench check gated-pixelcnn --set layers=4" in out
    assert loaded_after(["check", "--help"], ("torch",), tmp_path) == "0 []"
