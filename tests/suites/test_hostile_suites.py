"""Suites that hold what nobody means: refused by a sentence with its place; and their mirror images, unusual and right."""

from pathlib import Path

import pytest

from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.store.record_file import write_record
from pixelbench.suites.load import load_suite
from pixelbench.suites.schema import MOST_LETTERS
from pixelbench.suites.specs import specs_of
from pixelbench.suites.validation import MOST_CELLS
from tests.support.record_factory import record_of
from tests.support.suite_file import TEXT, write_suite

pytestmark = pytest.mark.quick


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        load_suite(write_suite(folder, text))
    return str(caught.value)


@pytest.mark.parametrize("kind", ["variant", "task"])
@pytest.mark.parametrize(("name", "written"), [('["a"]', '["a"]'), ("{ b = 1 }", '{"b": 1}'), ("3", "3")])
def test_a_name_that_is_no_text(tmp_path: Path, kind: str, name: str, written: str) -> None:
    """Also where tables are merged by it, before anything else looks at it, and in the suite that is extended."""
    entry, said = f"[[{kind}]]\nname = {name}\n", f".name: expected a text in quotes, got {written}"
    assert f"{kind}.[{2 if kind == 'variant' else 1}]{said}" in complaint(tmp_path, TEXT + entry)
    (tmp_path / "child.toml").write_text('name = "child"\nextends = "tiny.toml"\n')
    with pytest.raises(UserError, match="expected a text in quotes"):
        load_suite(str(tmp_path / "child.toml"))
    assert f"{kind}.[0]{said}" in complaint(tmp_path, f'name = "child"\nextends = "quick"\n{entry}')


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x" * 300, "a variant's name has at most 120 letters, for its folder; got 300"),
        ("../up", "variant.../up: a variant's name holds letters"),
        ("a\\u0000b", "a variant's name holds letters"),
    ],
)
def test_a_name_that_no_folder_can_have(tmp_path: Path, name: str, said: str) -> None:
    message = complaint(tmp_path, TEXT.replace('name = "uniform"', f'name = "{name}"'))
    assert said in message
    assert "error: :" not in message


@pytest.mark.parametrize("name", ["", " ", "a\\u0000b", "a\\nb", "\\u001b[2J", "\\u202e"])
def test_a_budget_or_a_suite_of_a_name_that_no_record_or_terminal_holds(tmp_path: Path, name: str) -> None:
    """No record could be written at the end of such a run."""
    budget = TEXT.replace("[budget.cpu]", f'[budget."{name}"]').replace('"cpu"', f'"{name}"')
    assert "has an error: budget: a name is some letters that can be printed." in complaint(tmp_path, budget)
    assert "has an error: name: a name is some letters" in complaint(tmp_path, TEXT.replace('"tiny"', f'"{name}"'))


def test_a_budget_is_no_path_and_may_be_called_anything_else(tmp_path: Path) -> None:
    named = TEXT.replace("[budget.cpu]", '[budget."{}"]').replace('"cpu"', '"{}"')
    assert "has an error: budget: a name holds no slash." in complaint(tmp_path, named.replace("{}", "../x"))
    for name in ("ein Tag, höchstens", "<b>|", "=1+1", "日"):
        (spec, *_) = specs_of(load_suite(write_suite(tmp_path, named.replace("{}", name))), only=["uniform"])
        assert record_of(spec).budget.name == name
        write_record(tmp_path, record_of(spec))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT[: TEXT.index("[[variant]]")] + "[axes]\n", "variant: is missing"),
        ("variant = []\n" + TEXT[: TEXT.index("[[variant]]")], "variant: expected at least one."),
        (
            "task = []\n" + TEXT.replace('[[task]]\nname = "digits"\nsettings = { maps = 8, layers = 1 }\n', ""),
            "task: expected at least one.",
        ),
        (TEXT + "tasks = []\n", "variant.gated-pixelcnn: tasks must name at least one; left out, the variant is on every task."),
    ],
)
def test_a_suite_of_nothing(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text).endswith(f"has an error: {said.removesuffix('.')}.")


def test_a_variant_on_every_task_and_on_one(tmp_path: Path) -> None:
    for tasks in ("", 'tasks = ["digits"]\n'):
        assert len(specs_of(load_suite(write_suite(tmp_path, TEXT + tasks)))) == 4


def test_a_question_ends_with_one_mark(tmp_path: Path) -> None:
    assert complaint(tmp_path, TEXT.replace('family = "uniform"', 'family = "uniform"\nexpect = "leak"')).endswith("did you mean 'leaky'?")


def test_a_name_may_be_long_but_for_its_axes(tmp_path: Path) -> None:
    text = TEXT.replace('name = "gated-pixelcnn"', f'name = "{"x" * MOST_LETTERS}"')
    assert len(load_suite(write_suite(tmp_path, text)).variants[1].name) == MOST_LETTERS
    assert "axes: a variant's name has at most" in complaint(tmp_path, text + "[axes]\nlayers = [1, 2]\n")


@pytest.mark.parametrize("name", ["*", "[a", "/etc", "../..", "folder-[a]", "x" * 300, "..", "digits\\u0000", "folder:a\\u0000b"])
def test_a_task_that_is_a_pattern_or_a_path(tmp_path: Path, name: str) -> None:
    message = complaint(tmp_path, TEXT.replace('name = "digits"', f'name = "{name}"'))
    assert "has an error: task." in message
    with pytest.raises(UserError):
        get_task(name.replace("\\u0000", "\0"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("updates = 10", "updates = 1000000001", "budget.cpu: updates must be at most 1,000,000,000, or no run comes to an end"),
        ("layers = 1", "layers = 10001", "task.digits.settings: layers must be at most 10,000, or no machine holds the network"),
        ("maps = 8", "maps = 65537", "task.digits.settings: maps must be at most 65,536"),
        ("layers = 1", "layers = 1, dilations = [1, 65537]", "task.digits.settings: dilations must be at most 65,536"),
        ("4e-3", "4e-3\nbatch = 10000001", "recipe: batch must be at most 10,000,000"),
        ("[budget.cpu]", "[evaluation]\nimportance_samples = 100000001\n[budget.cpu]", "evaluation: importance_samples must be at most"),
        ("seeds = [1, 2]", f"seeds = [{', '.join(map(str, range(10_001)))}]", "seeds must be at most 10,000, got 10,001"),
        ("seeds = [1, 2]", "verdict_seeds = 10001", "verdict_seeds must be at most 10,000"),
        ("updates = 10", f"updates = 0x{'f' * 4000}", "budget.cpu.updates: expected a whole number of at most 64 bits"),
        ("updates = 10", f"updates = [{'[' * 40}{']' * 40}]", "is nested deeper than 16 tables or lists"),
        ("updates = 10", f"{'a.' * 20_000}a = 1", "has more parts than any table"),
        ("[budget.cpu]", f"[{'a.' * 20_000}a]", "has more parts than any table"),
    ],
)
def test_sizes_that_cannot_be_meant(tmp_path: Path, old: str, new: str, said: str) -> None:
    message = complaint(tmp_path, TEXT.replace(old, new))
    assert said in message
    assert "\n" not in message
    assert len(message) < 1000


def test_sizes_that_can_be_meant(tmp_path: Path) -> None:
    text = TEXT.replace("updates = 10", "updates = 1000000000").replace("maps = 8, layers = 1", "maps = 65536, layers = 10000")
    text = text.replace("seeds = [1, 2]", f'description = "{"see.that." * 20}"\nseeds = [{", ".join(map(str, range(10_000)))}]')
    suite = load_suite(write_suite(tmp_path, text))
    assert (suite.budgets["cpu"].updates, len(suite.seeds)) == (10**9, 10_000)


def test_more_runs_than_anybody_can_plan(tmp_path: Path) -> None:
    suite = load_suite(write_suite(tmp_path))
    assert len(specs_of(suite, seeds=range(200))) == 400
    with pytest.raises(UserError, match="At most 10,000 runs can be planned at once, and these are 10,002, of 2 cells"):
        specs_of(suite, seeds=range(5_001))


def test_names_are_looked_up_before_axes_are_multiplied(tmp_path: Path) -> None:
    axes = f"[axes]\nlayers = {list(range(1, 101))}\nmaps = {list(range(3, 103))}\n"
    said = complaint(tmp_path, TEXT + axes + '[[variant]]\nname = "typo"\nfamily = "pixelcn"\n')
    assert "variant.typo.family: Unknown model 'pixelcn'. Did you mean 'pixelcnn'?" in said
    assert f"axes: the suite comes to 20,004 cells (variants on tasks at budgets), and no suite has more than {MOST_CELLS:,}" in said


def test_many_cells_are_fine(tmp_path: Path) -> None:
    axes = f"[axes]\nlayers = {list(range(1, 31))}\nmaps = {list(range(3, 33))}\n"
    assert len(load_suite(write_suite(tmp_path, TEXT + axes)).variants) == 901


def test_of_hundreds_of_errors_some_are_shown(tmp_path: Path) -> None:
    variants = "".join(f'[[variant]]\nname = "v{n}"\nfamily = "pixelcn"\n' for n in range(1000))
    said = complaint(tmp_path, TEXT + variants)
    assert "variant.v0.family: Unknown model 'pixelcn'. Did you mean 'pixelcnn'?" in said
    assert said.endswith("more")
    assert said.count("\n") == 51


def test_a_file_that_is_no_suite_at_all(tmp_path: Path) -> None:
    assert "has more than 512 kB" in complaint(tmp_path, "#" * (600 << 10))
    for name in ("a\\u0000b.toml", f"{'x' * 300}.toml", f"{'y/' * 5000}z.toml"):
        assert "There is no suite file" in complaint(tmp_path, f'name = "m"\nextends = "{name}"\n')


@pytest.mark.parametrize("value", ["1e-999999999", f"0.{'1' * 60}", f"0x{'f' * 5000}"])
def test_a_claim_that_nobody_printed(tmp_path: Path, value: str) -> None:
    claim = f'[[claim]]\ntask = "digits"\nvariant = "uniform"\nvalue = {value}\nunit = "bits/dim"\nsource = "mine"\n'
    assert "claim.digits/uniform.value: expected a" in complaint(tmp_path, TEXT + claim)
