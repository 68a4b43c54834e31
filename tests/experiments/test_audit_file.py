"""Audit files: what they mean, and all that is wrong with one at once."""

from pathlib import Path

import pytest

from pixelbench.analysis.audits import Expectation
from pixelbench.errors import UserError
from pixelbench.experiments.foreign.audit_file import SECONDS, load_audit

GOOD = """
title = "Mine"
[defaults]
levels = 4
shape = [1, 6, 5]
settings = {}
[[entry]]
name = "one"
target = "models.py:one"
[[entry]]
name = "two"
source = "repository"
target = "package.models:two"
shape = "3x4x3"
levels = 256
expect = "leaky"
gaps = 2
gap_offsets = [[-1, 2], [0, -1]]
faults = ["sees-itself"]
args = { labels = 0, scale = 0.5 }
order = "order.json"
mode = "both"
seconds = 5
note = "commit 60d1ed0"
[[entry]]
name = "family"
target = "pixelcnn"
settings = { layers = 2, first_layer = "mask-b" }
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "audit.toml"
    path.write_text(text, encoding="utf-8")
    return path


def errors_of(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as raised:
        load_audit(written(folder, text))
    return str(raised.value)


def test_an_entry_is_a_request_with_an_expectation(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text("[0]")
    audit = load_audit(written(tmp_path, GOOD))
    one, two, family = audit.entries
    assert (audit.title, one.expectation, one.source) == ("Mine", Expectation("causal"), None)
    request = one.request("models.py:one")
    assert (request.shape, request.levels, request.seconds, request.mode) == ("1,6,5", 4, SECONDS, "eval")
    request = two.request("here:two")
    assert (request.target, request.shape, request.levels, request.seconds, request.mode) == ("here:two", "3x4x3", 256, 5, "both")
    assert (request.args, request.order) == (("labels=0", "scale=0.5"), str(tmp_path / "order.json"))
    assert two.expectation == Expectation("leaky", 2, ((-1, 2), (0, -1)), ("sees-itself",))
    assert family.request("pixelcnn").settings == ("layers=2", 'first_layer="mask-b"')


def test_the_title_is_the_files_name_where_it_has_none(tmp_path: Path) -> None:
    assert load_audit(written(tmp_path, '[[entry]]\nname = "a"\ntarget = "m.py:a"\nshape = [4]\n')).title == "audit"


def test_all_errors_are_said_at_once_with_the_nearest_names(tmp_path: Path) -> None:
    said = errors_of(
        tmp_path,
        """
[defaults]
level = 4
[[entry]]
name = "one"
target = "models.py:one"
shape = [1, 6, 5]
expect = "leeky"
[[entry]]
name = "two"
target = "pixelcn"
[[entry]]
target = "models.py:three"
shap = [1, 6, 5]
""",
    )
    lines = said.splitlines()
    assert lines[0].endswith("audit.toml' has 5 errors:")
    assert len(lines) == 6  # that of the defaults only once
    assert "  defaults.level: there is no such setting; did you mean 'levels'?" in lines
    assert "entry.one.expect: expected 'causal'" in said
    assert "got 'leeky'; did you mean 'leaky'?" in said
    assert "entry.[2].shap: there is no such setting; did you mean 'shape'?" in said
    assert "entry.[2].name: is missing" in said
    assert "entry.two.target: Unknown model 'pixelcn'. Did you mean 'pixelcnn'?" in said


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('target = "pixelcn"', "entry.one.target: Unknown model 'pixelcn'. Did you mean 'pixelcnn'?"),
        ('target = "models.py"', "A module is given as file.py:name or package.module:name."),
        ('target = ":one"', "entry.one.target: Unknown model"),
        ("", "entry.one.target: is missing"),
        ('target = "m.py:one"', "entry.one.shape: is missing; small images take seconds"),
        ('target = "m.py:one"\nshape = [1, 2, 3, 4, 5]', "entry.one.shape: A shape is channels, height and width"),
        ('target = "m.py:one"\nshape = ["a"]', "entry.one.shape: expected a text in quotes"),
        ('target = "m.py:one"\nshape = [3]\nsettings = { layers = 4 }', "entry.one.settings: are for families"),
        ('target = "m.py:one"\nshape = [3]\nsettings = "layers=4"', "entry.one.settings: expected a table such as { layers = 4 }"),
        ('target = "m.py:one"\nshape = [3]\nlevels = 1', "entry.one: levels must be at least 2"),
        ('target = "m.py:one"\nshape = [3]\nseconds = 0', "entry.one: seconds must be more than 0"),
        ('target = "m.py:one"\nshape = [3]\nseconds = inf', "entry.one.seconds: expected a finite number"),
        ('target = "m.py:one"\nshape = [3]\nmemory = "much"', "entry.one.memory: --memory is a size such as 4GiB"),
        ('target = "m.py:one"\nshape = [3]\nmode = "evil"', "entry.one.mode: expected 'eval', 'train' or 'both', got 'evil'"),
        ('target = "m.py:one"\nshape = [3]\ngaps = -1', "entry.one.gaps: must be at least 0"),
        ('target = "m.py:one"\nshape = [3]\nbases = ["joint"]', "entry.one: bases must name at least one of"),
        ('target = "m.py:one"\nsums_to_one = true\nmode = "both"', "entry.one: --mode has no meaning beside --sums-to-one"),
        ('target = "m.py:one"\nshape = [3]\nmethod = "nll"', "entry.one: --method names what scores images for --sums-to-one or"),
    ],
)
def test_what_is_wrong_with_an_entry(tmp_path: Path, entry: str, said: str) -> None:
    text = errors_of(tmp_path, f'[[entry]]\nname = "one"\n{entry}\n')
    assert said in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "entry: is missing"),
        ("entry = 3", "entry: expected a list"),
        ("titel = 'a'", "titel: there is no such setting; did you mean 'title'?"),
        ("[[entry]", "is not valid TOML"),
        (
            '[[entry]]\nname = "a b"\ntarget = "m.py:a"\nshape = [3]',
            'entry.a b.name: expected at most 80 letters, digits and . _ + -, got "a b"',
        ),
        ('[[entry]]\nname = "../a"\ntarget = "m.py:a"\nshape = [3]', "name: expected at most 80 letters"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, text: str, said: str) -> None:
    assert said in errors_of(tmp_path, text)


def test_two_entries_of_one_name_would_have_one_certificate(tmp_path: Path) -> None:
    entry = '[[entry]]\nname = "{}"\ntarget = "m.py:a"\nshape = [3]\n'
    assert "another entry is called 'net'; their certificates would be one file" in errors_of(
        tmp_path, entry.format("net") + entry.format("Net")
    )
    load_audit(written(tmp_path, entry.format("net") + entry.format("net2")))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    with pytest.raises(UserError, match=r"did you mean '.*audit.toml'\?"):
        load_audit(tmp_path / "audits.toml")
    with pytest.raises(UserError, match="There is no audit file"):
        load_audit(tmp_path / "nowhere" / "x.toml")
