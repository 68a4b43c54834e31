"""The ablations: one thing changed at a time, runs shared with other suites, and each task that makes sense."""

from dataclasses import asdict
from pathlib import Path

import pytest
from PIL import Image

from pixelbench.data import get_task
from pixelbench.errors import UserError
from pixelbench.experiments.plan import Plan, make_plan
from pixelbench.suites.ablation import load_ablation, on_task, tasks_of
from pixelbench.suites.design_choice import DesignChoice, shipped_choices
from pixelbench.suites.load import ablation_names, load_suite, suite_names, suite_text
from pixelbench.suites.resolve import pairs, resolve

#: The ablations that change one setting of one family; the decoders belong to another family than their baseline.
ONE_SETTING = [choice for choice in shipped_choices() if not choice.across_families]


def keys(plan: Plan) -> dict[str, str]:
    return {f"{cell.spec.task['name']}/{cell.spec.variant}": cell.spec.key for cell in plan.cells}


def test_every_ablation_ships_and_is_no_main_suite() -> None:
    assert not {*ablation_names(), "ablation-base"} & set(suite_names())
    for name in ablation_names():
        suite, requested = load_ablation(name)
        assert suite.name == name
        assert requested.question.endswith("?")
        assert requested.task in tasks_of(suite)
        assert {"smoke", "cpu", "short"} <= set(suite.budgets)
        assert requested.title, name


def test_the_setting_of_each_that_ships_is_the_one_that_it_names() -> None:
    for choice in shipped_choices():
        ablation = load_ablation(choice.name)[1]
        assert (choice.setting, choice.title, choice.question) == (ablation.setting, ablation.title, ablation.question)
    assert [choice.name for choice in shipped_choices() if choice.open] == ["depth"]
    assert [choice.name for choice in shipped_choices() if choice.across_families] == ["vae-decoder"]


@pytest.mark.parametrize("choice", ONE_SETTING, ids=lambda choice: choice.name)
def test_variants_differ_from_the_baseline_in_one_setting_on_every_task_and_budget(choice: DesignChoice) -> None:
    suite, requested = load_ablation(choice.name)
    for task in (task for task in suite.tasks if task.name in tasks_of(suite)):
        for budget in suite.budgets:
            made = {v.name: resolve(suite, task, v, budget, []) for t, v in pairs(suite) if t is task}
            found = {variant: asdict(resolved) for variant, resolved in made.items() if resolved}
            baseline = found.pop(requested.baseline)
            first = baseline["settings"].pop(choice.setting)
            values = [resolved["settings"].pop(choice.setting) for resolved in found.values()]
            assert first in choice.baseline.values, (task.name, budget)
            assert values == [option.values[0] for option in choice.variants], (task.name, budget)
            assert len({first, *values}) == 1 + len(values) > 1, (task.name, budget)
            assert all(resolved == baseline for resolved in found.values()), (task.name, budget)


def test_leaks_by_design_are_declared_and_nothing_else_is() -> None:
    leaky = {variant.name for name in ablation_names() for variant in load_suite(name).variants if variant.expect == "leaky"}
    assert leaky == {"gated-residual", "gated-mask-b"}


def test_decoders_share_recipe_evaluation_and_all_settings_that_the_baseline_has() -> None:
    suite, requested = load_ablation("vae-decoder")
    for task in suite.tasks:
        for budget in suite.budgets:
            made = {v.name: asdict(r) for t, v in pairs(suite) if t is task and (r := resolve(suite, t, v, budget, []))}
            assert len(made) == 5
            baseline = made.pop(requested.baseline)
            known = baseline.pop("settings")
            decoders = {resolved["settings"].pop("decoder") for resolved in made.values()}
            assert decoders == {"without-upsampling", "with-upsampling", "spatial", "straight"}
            settings = [resolved.pop("settings") for resolved in made.values()]
            assert all(its == settings[0] for its in settings)
            assert {name: known[name] for name in settings[0] if name in known} == {n: v for n, v in settings[0].items() if n in known}
            assert all(resolved == baseline for resolved in made.values()), (task.name, budget)


def test_stored_runs_of_the_quick_suite_are_the_ablations_own() -> None:
    quick = keys(make_plan(load_suite("quick"), Path("none"), seeds=[0, 1]))
    for name, cell in [
        ("gates", "digits/gated-pixelcnn"),
        ("gates", "digits/gated-no-gates"),
        ("first-layer-residual", "digits/gated-residual"),
        ("first-layer-mask", "digits/gated-mask-b"),
        ("colour-conditioning", "photos/gated-pixelcnn"),
        ("colour-conditioning", "photos/gated-no-colour"),
    ]:
        assert keys(make_plan(load_suite(name), Path("none"), seeds=[0, 1]))[cell] == quick[cell], (name, cell)


def test_the_stored_run_of_the_mnist_suite_is_the_baseline() -> None:
    mnist, gates = (keys(make_plan(load_suite(name), Path("none"))) for name in ("mnist", "gates"))
    assert gates["mnist-fixed/gated-pixelcnn"] == mnist["mnist-fixed/gated-pixelcnn"]


def test_a_copy_works_in_any_folder(tmp_path: Path) -> None:
    copy = tmp_path / "mine.toml"
    copy.write_text(suite_text("gates").replace("gates = false", "gates = false, kernel = 5"), encoding="utf-8")
    suite, _ = load_ablation(str(copy))
    changed = next(variant for variant in suite.variants if variant.name == "gated-no-gates")
    assert changed.settings == {"gates": False, "kernel": 5}
    assert suite.tasks == load_suite("gates").tasks


def test_an_ablation_on_one_task() -> None:
    suite, requested = load_ablation("colour-conditioning")
    alone, said = on_task(suite, requested)
    assert [(t.name, v.name) for t, v in pairs(alone)] == [("photos", "gated-pixelcnn"), ("photos", "gated-no-colour")]
    assert said is None
    alone, said = on_task(suite, requested, "photos-8bit")
    assert [task.name for task in alone.tasks] == ["photos-8bit"]
    assert said is None


def test_a_task_without_settings_takes_those_of_the_most_alike(tmp_path: Path) -> None:
    copy = tmp_path / "few.toml"
    tasks = '[[task]]\nname = "digits"\nsettings = { maps = 9 }\n[[task]]\nname = "photos-8bit"\nsettings = { maps = 12 }\n'
    variants = '[[variant]]\nname = "a"\nfamily = "gated-pixelcnn"\n[[variant]]\nname = "b"\nfamily = "gated-pixelcnn"\n'
    variants += "settings = { gates = false }\n"
    text = 'name = "few"\ndefault_budget = "b"\n[budget.b]\nupdates = 1\n[ablation]\nquestion = "?"\nbaseline = "a"\ntask = "digits"\n'
    copy.write_text(text + tasks + variants, encoding="utf-8")
    suite, requested = load_ablation(str(copy))
    alone, said = on_task(suite, requested, "photos")
    assert said == "Ablation 'few' has no settings for 'photos'; it takes those for 'photos-8bit'."
    assert (alone.tasks[0].name, alone.tasks[0].settings) == ("photos", {"maps": 12})
    assert make_plan(alone, Path("none")).cells[0].spec.task["digest"] == get_task("photos").digest


def test_a_folder_of_images_takes_settings_by_its_colours(tmp_path: Path) -> None:
    for mode, like in (("RGB", "photos-8bit"), ("L", "mnist")):
        folder = tmp_path / mode
        for split in ("train", "valid"):
            (folder / split).mkdir(parents=True)
            for index in range(3):
                Image.new(mode, (16, 16), index).save(folder / split / f"{index}.png")
        suite, requested = load_ablation("residual")
        alone, said = on_task(suite, requested, f"folder:{folder}")
        assert said is not None
        assert said.endswith(f"it takes those for '{like}'.")
        assert alone.tasks[0].settings == next(task.settings for task in suite.tasks if task.name == like)
        assert {cell.spec.task["name"] for cell in make_plan(alone, Path("none")).cells} == {f"folder-{mode}"}
    with pytest.raises(UserError, match="'colour-conditioning' makes no sense on"):
        on_task(*load_ablation("colour-conditioning"), f"folder:{tmp_path / 'L'}")


def test_a_task_on_which_it_makes_no_sense_names_those_where_it_does() -> None:
    with pytest.raises(UserError, match="'colour-conditioning' makes no sense on 'digits'; it is for photos"):
        on_task(*load_ablation("colour-conditioning"), "digits")
    with pytest.raises(UserError, match="'output' makes no sense on 'mnist-fixed'"):
        on_task(*load_ablation("output"), "mnist-fixed")


def test_names_that_are_none() -> None:
    with pytest.raises(UserError, match=r"Unknown ablation 'gate'\. Did you mean 'gates'\?"):
        load_ablation("gate")
    with pytest.raises(UserError, match="Unknown ablation 'quick'"):
        load_ablation("quick")
    with pytest.raises(UserError, match=r"Unknown task 'photo'\. Did you mean 'photos'\?"):
        on_task(*load_ablation("gates"), "photo")


def test_a_suite_without_the_table_is_no_ablation(tmp_path: Path) -> None:
    copy = tmp_path / "plain.toml"
    copy.write_text(suite_text("quick"), encoding="utf-8")
    with pytest.raises(UserError, match=r"has no table \[ablation\]"):
        load_ablation(str(copy))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('baseline = "gated-pixelcnn"', 'baseline = "gated-pixelcn"', "ablation.baseline: Unknown variant 'gated-pixelcn'. Did you mean"),
        ('task = "digits"', 'task = "digit"', "ablation.task: Unknown task of this suite 'digit'. Did you mean 'digits'?"),
        ('question = "', 'questions = "', "ablation.questions: there is no such setting; did you mean 'question'?"),
        ('setting = "gates"', 'setting = "gate"', "ablation.setting: Unknown setting 'gate'. Did you mean 'gates'?"),
        ('gated-no-gates = "ReLU"', 'gated-no-gate = "ReLU"', "ablation.words: Unknown variant 'gated-no-gate'. Did you mean"),
        ('gated-no-gates = "ReLU"', "gated-no-gates = 1", "ablation.words.gated-no-gates: expected a text in quotes, got 1"),
        (
            "gates = false }",
            'gates = false }\ntasks = ["photos"]',
            "ablation.task: on 'digits' there must be 'gated-pixelcnn' and a variant",
        ),
    ],
)
def test_errors_in_the_table(tmp_path: Path, old: str, new: str, said: str) -> None:
    copy = tmp_path / "mine.toml"
    text = suite_text("gates")
    assert old in text
    copy.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        load_suite(str(copy))
    assert said in str(caught.value)
