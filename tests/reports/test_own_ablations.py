"""Ablations of one's own suite files: the file alone says what is compared, and the report has their section."""

from pathlib import Path

import pytest

from pixelbench.analysis.ablations import TaskAblation
from pixelbench.analysis.context import Context
from pixelbench.reports.html.document import write_html
from pixelbench.reports.markdown import write_markdown
from pixelbench.reports.report import build_report
from pixelbench.suites.design_choice import choices_with, shipped_choices
from pixelbench.suites.load import load_suite, suite_text
from pixelbench.suites.schema import Suite
from pixelbench.suites.specs import specs_of
from tests.support.record_factory import add_run, add_spec

HEAD = """
name = "mine"
default_budget = "cpu"
[budget.cpu]
updates = 10
[budget.short]
updates = 20
[[task]]
name = "digits"
settings = { layers = 3, maps = 8 }
[[variant]]
name = "plain"
family = "gated-pixelcnn"
[ablation]
question = "Is it worth it?"
baseline = "plain"
task = "digits"
"""
KERNEL = HEAD + '[[variant]]\nname = "wide"\nfamily = "gated-pixelcnn"\nsettings = { kernel = 5 }\n'
EMA = HEAD + '[[variant]]\nname = "averaged"\nfamily = "gated-pixelcnn"\nrecipe = { ema = 0.99 }\n'
FAMILY = HEAD + '[[variant]]\nname = "other"\nfamily = "pixelcnn"\n'


def suite_of(folder: Path, text: str) -> Suite:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_suite(str(path))


def stored(folder: Path, suite: Suite, budget: str = "cpu") -> Path:
    """A store with all runs of the suite at a budget, each variant worse than the one before it."""
    for index, spec in enumerate(specs_of(suite, budget=budget)):
        add_spec(folder / "runs", spec, 1.0 + 0.1 * index)
    return folder / "runs"


def own(store: Path, suite: Suite) -> list[TaskAblation]:
    report = build_report(store, context=Context.of_suite(suite, "mine.toml"))
    return [ablation for ablation in report.ablations if ablation.choice.name == "mine"]


@pytest.mark.parametrize(
    ("text", "setting", "variant", "said"),
    [
        (KERNEL, "kernel", "wide", "5 kernel"),
        (EMA, None, "averaged", "ema 0.99 instead of 0.0"),
        (FAMILY, None, "other", "family pixelcnn instead of gated-pixelcnn"),
    ],
    ids=["one setting", "a recipe", "another family"],
)
def test_an_ablation_of_ones_own_has_its_section(text: str, setting: str | None, variant: str, said: str, tmp_path: Path) -> None:
    suite = suite_of(tmp_path, text)
    (found,) = own(stored(tmp_path, suite), suite)
    assert (found.choice.setting, found.choice.title, found.labels) == (setting, "mine", ("plain", variant))
    assert said in found.rows[1].value
    assert f"plain is 0.100 bits/dim better than {variant} ({found.rows[1].value})" in found.sentences[0]
    report = build_report(tmp_path / "runs", context=Context.of_suite(suite, "mine.toml"))
    assert "### Ablation: mine\n\nIs it worth it?" in write_markdown(report).read_text(encoding="utf-8")
    assert 'id="ablation-mine"' in write_html(report).read_text(encoding="utf-8")


def test_its_words_and_title_are_those_of_the_file(tmp_path: Path) -> None:
    words = 'title = "The kernel"\nplace = 1\n[ablation.words]\nplain = "narrow"\nwide = "wide kernels"\n'
    suite = suite_of(tmp_path, KERNEL.replace('task = "digits"\n[[v', f'task = "digits"\n{words}[[v'))
    (found,) = own(stored(tmp_path, suite), suite)
    assert (found.choice.title, [entry.value for entry in found.rows]) == ("The kernel", ["narrow", "wide kernels"])
    assert [choice.name for choice in choices_with(suite)][:2] == ["mine", "colour-conditioning"]


def test_without_the_suite_its_runs_are_no_ablation(tmp_path: Path) -> None:
    store = stored(tmp_path, suite_of(tmp_path, KERNEL))
    assert build_report(store).ablations == ()


def test_cells_that_the_suite_does_not_ask_for_are_not_in_it(tmp_path: Path) -> None:
    """Where a setting tells, runs of any suite count; where rows tell, the suite's own alone, those of one budget beside each other."""
    suite = suite_of(tmp_path, EMA)
    store = stored(tmp_path, suite)
    stored(tmp_path, suite, "short")
    add_run(store, "averaged", 1.5, task="digits", recipe={"ema": 0.9})
    assert {found.labels for found in own(store, suite)} == {("plain (cpu)", "averaged (cpu)"), ("plain (short)", "averaged (short)")}
    assert len(own(store, suite)) == 2


def test_two_settings_at_once_are_compared_by_rows_even_where_one_is_named(tmp_path: Path) -> None:
    text = KERNEL.replace('task = "digits"\n[[v', 'task = "digits"\nsetting = "gates"\n[[v')
    suite = suite_of(tmp_path, text.replace("kernel = 5", "kernel = 5, gates = false"))
    (found,) = own(stored(tmp_path, suite), suite)
    assert found.choice.setting is None
    assert "gates False instead of True" in found.rows[1].value


def test_a_copy_stands_for_what_it_was_copied_from(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, suite_text("gates").replace('name = "gates"', 'name = "my-gates"').replace("Gated activations", "My gates"))
    names = [choice.name for choice in choices_with(suite)]
    assert len(names) == len(shipped_choices())
    assert "my-gates" in names
    assert "gates" not in names
    assert choices_with(load_suite("quick")) == shipped_choices()


def test_an_extended_ablation_keeps_no_words_of_variants_that_it_leaves_out(tmp_path: Path) -> None:
    words = '[ablation.words]\nplain = "narrow"\nwide = "wide kernels"\ngone = "gone"\n'
    gone = '[[variant]]\nname = "gone"\nfamily = "gated-pixelcnn"\nsettings = { kernel = 7 }\n'
    (tmp_path / "base.toml").write_text(KERNEL.replace('task = "digits"\n[[v', f'task = "digits"\n{words}[[v') + gone, encoding="utf-8")
    suite = suite_of(tmp_path, 'name = "few"\nextends = "./base.toml"\nvariants = ["plain", "wide"]\n')
    assert suite.ablation is not None
    assert set(suite.ablation.words) == {"plain", "wide"}
