"""Suites: valid ones resolve, errors are all said at once with their dotted path and the nearest name."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pixelbench.data import get_task
from pixelbench.errors import UserError, shortened
from pixelbench.experiments.plan import make_plan
from pixelbench.suites import resolve as resolve_module
from pixelbench.suites.load import load_suite, suite_names
from pixelbench.suites.resolve import pairs, resolve
from pixelbench.suites.specs import specs_of
from tests.support.suite_file import TEXT, write_suite

pytestmark = pytest.mark.quick

_FIXED = '[[variant]]\nname = "fixed"\nfamily = "gated-pixelcnn"\nsettings = { gates = true }\n'


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as caught:
        load_suite(write_suite(folder, text))
    return str(caught.value)


def settings_of(path: str, variant: str, budget: str = "cpu") -> dict:
    suite = load_suite(path)
    found = next(v for v in suite.variants if v.name == variant)
    resolved = resolve(suite, suite.tasks[0], found, budget, [])
    assert resolved is not None
    return resolved.settings.as_dict()


def test_quick_is_shipped_and_complete() -> None:
    assert "quick" in suite_names()
    cells = [(task.name, variant.name) for task, variant in pairs(load_suite("quick"))]
    assert len([variant for task, variant in cells if task == "digits"]) == 9
    assert len([variant for task, variant in cells if task == "photos"]) == 7
    assert {v.name for v in load_suite("quick").variants if v.expect == "leaky"} == {"gated-residual", "gated-mask-b"}


def test_the_row_of_the_published_table_in_quick_is_that_of_the_suite_paper() -> None:
    quick, paper = load_suite("quick"), load_suite("paper")
    own = {spec.variant: spec.cell_key for spec in specs_of(quick, only=["mnist-fixed/*"])}
    assert "mixture-of-bernoullis-10" in own
    of_paper = {spec.variant: spec.cell_key for spec in specs_of(paper, only=["mnist-fixed/*"], budget="paper")}
    assert own == {name: of_paper[name] for name in own}
    (row,) = (variant for variant in quick.variants if variant.name == "mixture-of-bernoullis-10")
    assert row.seeds == tuple(range(quick.verdict_seeds))


def test_what_is_fitted_needs_no_updates(tmp_path: Path) -> None:
    budget, fitted = "[budget.cpu]\n", '[[task]]\nname = "digits"\n[[variant]]\nname = "uniform"\nfamily = "uniform"\n'
    head = 'name = "tiny"\ndefault_budget = "cpu"\n' + budget
    (spec,) = specs_of(load_suite(write_suite(tmp_path, head + fitted)))
    assert spec.updates == 0
    text = head + fitted + '[[variant]]\nname = "pixelcnn"\nfamily = "pixelcnn"\n'
    assert "budget.cpu.updates: is missing, and so is task.digits.budget.cpu.updates" in complaint(tmp_path, text)


def test_layers_of_settings(tmp_path: Path) -> None:
    path = write_suite(tmp_path, TEXT + "settings = { layers = 2 }\nrecipe = { batch = 16 }\n")
    assert settings_of(path, "gated-pixelcnn")["layers"] == 2
    assert settings_of(path, "gated-pixelcnn")["maps"] == 8
    assert settings_of(path, "gated-pixelcnn", "smoke")["maps"] == 4
    suite = load_suite(path)
    trained = resolve(suite, suite.tasks[0], suite.variants[1], "smoke", [])
    fitted = resolve(suite, suite.tasks[0], suite.variants[0], "smoke", [])
    assert trained is not None
    assert trained.recipe is not None
    assert fitted is not None
    assert (trained.recipe.batch, trained.recipe.learning_rate, trained.updates) == (16, 0.004, 2)
    assert (fitted.recipe, fitted.updates) == (None, 0)


def test_axes_multiply_out(tmp_path: Path) -> None:
    path = write_suite(tmp_path, TEXT + _FIXED + "[axes]\ngates = [true, false]\nlayers = [1, 2]\n")
    names = [variant.name for variant in load_suite(path).variants]
    assert names[0] == "uniform"
    assert names[1:5] == [f"gated-pixelcnn+gates={g}+layers={n}" for g in ("true", "false") for n in (1, 2)]
    assert names[5:] == ["fixed+layers=1", "fixed+layers=2"]


def test_extends_merges_by_name(tmp_path: Path) -> None:
    write_suite(tmp_path)
    child = tmp_path / "child.toml"
    child.write_text(
        'name = "child"\nextends = "tiny.toml"\nseeds = [7]\n[recipe]\nbatch = 8\n'
        '[[variant]]\nname = "gated-pixelcnn"\nsettings = { gates = false }\n[[variant]]\nname = "more"\nfamily = "histogram"\n'
    )
    suite = load_suite(str(child))
    assert suite.seeds == (7,)
    assert suite.recipe == {"learning_rate": 0.004, "batch": 8}
    assert [variant.name for variant in suite.variants] == ["uniform", "gated-pixelcnn", "more"]
    assert suite.variants[1].settings == {"gates": False}
    (tmp_path / "grandchild.toml").write_text('name = "g"\nextends = "child.toml"\n')
    with pytest.raises(UserError, match=r"itself extends 'tiny\.toml'"):
        load_suite(str(tmp_path / "grandchild.toml"))


def test_extends_can_keep_some_tasks(tmp_path: Path) -> None:
    more = '[[task]]\nname = "photos"\nsettings = { maps = 9 }\n'
    more += '[[variant]]\nname = "there"\nfamily = "histogram"\ntasks = ["photos"]\n'
    more += '[[variant]]\nname = "both"\nfamily = "gated-pixelcnn"\ntasks = ["digits", "photos"]\non.photos.settings.maps = 10\n'
    write_suite(tmp_path, TEXT + more)
    child = tmp_path / "child.toml"
    child.write_text('name = "child"\nextends = "tiny.toml"\ntasks = ["digits"]\n')
    suite = load_suite(str(child))
    assert [task.name for task in suite.tasks] == ["digits"]
    assert [variant.name for variant in suite.variants] == ["uniform", "gated-pixelcnn", "both"]
    assert (suite.variants[2].tasks, suite.variants[2].on) == (("digits",), {})
    for tasks, said in [
        ('["digit"]', "tasks: Unknown task of the extended suite 'digit'. Did you mean 'digits'?"),
        ("[]", "tasks: expected a list"),
        ('"digits"', "tasks: expected a list"),
    ]:
        child.write_text(f'name = "child"\nextends = "tiny.toml"\ntasks = {tasks}\n')
        with pytest.raises(UserError) as caught:
            load_suite(str(child))
        assert said in str(caught.value)
    assert "and this one extends none; leave it out." in complaint(tmp_path, 'tasks = ["digits"]\n' + TEXT)


def test_extends_can_keep_some_variants(tmp_path: Path) -> None:
    """With them go the settings for all variants that only others had; a setting that nobody has stays wrong."""
    more = '[[variant]]\nname = "snail"\nfamily = "pixelsnail"\n'
    shared = TEXT.replace("[budget.cpu]", "[budget.cpu]\nsettings = { blocks = 1 }", 1)
    assert shared != TEXT
    write_suite(tmp_path, shared + more)
    child = tmp_path / "child.toml"
    child.write_text('name = "child"\nextends = "tiny.toml"\nvariants = ["gated-pixelcnn"]\n')
    suite = load_suite(str(child))
    assert [variant.name for variant in suite.variants] == ["gated-pixelcnn"]
    assert suite.budgets["cpu"].settings == {}
    for variants, said in [
        ('["snails"]', "variants: Unknown variant of the extended suite 'snails'. Did you mean 'snail'?"),
        ("[]", 'variants: expected a list of those variants of the extended suite that stay, such as ["uniform"]'),
    ]:
        child.write_text(f'name = "child"\nextends = "tiny.toml"\nvariants = {variants}\n')
        with pytest.raises(UserError) as caught:
            load_suite(str(child))
        assert said in str(caught.value)
    assert "and this one extends none; leave it out." in complaint(tmp_path, 'variants = ["uniform"]\n' + TEXT)
    write_suite(tmp_path, shared.replace("blocks", "blockz") + more)
    child.write_text('name = "child"\nextends = "tiny.toml"\nvariants = ["gated-pixelcnn"]\n')
    with pytest.raises(UserError, match="Unknown setting 'blockz'"):
        load_suite(str(child))


def test_the_more_special_place_wins(tmp_path: Path) -> None:
    """Task, variant, variant on the task, budget, and what each of the first three says of the budget."""
    places = [
        ("task", "settings.maps = 11"),
        ("variant", "settings.maps = 12"),
        ("variant", "on.digits.settings.maps = 13"),
        ("budget", "settings.maps = 14"),
        ("task", "budget.cpu.settings.maps = 15"),
        ("variant", "budget.cpu.settings.maps = 16"),
        ("variant", "on.digits.budget.cpu.settings.maps = 17"),
    ]
    for count in range(1, len(places) + 1):
        said = {home: "\n".join(line for at, line in places[:count] if at == home) for home, _ in places}
        text = (
            f'name = "s"\ndefault_budget = "cpu"\n[budget.cpu]\nupdates = 1\n{said["budget"]}\n[[task]]\nname = "digits"\n{said["task"]}\n'
        )
        text += f'[[variant]]\nname = "v"\nfamily = "gated-pixelcnn"\n{said["variant"]}\n'
        assert settings_of(write_suite(tmp_path, text), "v")["maps"] == 10 + count


def test_recipe_evaluation_and_updates_of_a_budget_and_a_variant(tmp_path: Path) -> None:
    text = TEXT.replace("updates = 10", "updates = 10\nrecipe = { batch = 3 }\nevaluation = { samples = 5 }")
    text += "recipe = { batch = 16 }\nevaluation = { importance_samples = 9, samples = 6 }\nbudget.cpu.updates = 70\n"
    suite = load_suite(write_suite(tmp_path, text + "on.digits.budget.smoke = { updates = 3, recipe = { clip = 2.0 } }\n"))
    cpu, smoke = (resolve(suite, suite.tasks[0], suite.variants[1], budget, []) for budget in ("cpu", "smoke"))
    assert cpu is not None
    assert smoke is not None
    assert cpu.recipe is not None
    assert smoke.recipe is not None
    assert (cpu.updates, cpu.recipe.batch, cpu.evaluation.samples, cpu.evaluation.importance_samples) == (70, 3, 5, 9)
    assert (smoke.updates, smoke.recipe.batch, smoke.recipe.clip, smoke.evaluation.samples) == (3, 16, 2.0, 6)


def test_texts_are_no_part_of_a_run(tmp_path: Path) -> None:
    plain = make_plan(load_suite(write_suite(tmp_path)), tmp_path)
    told = make_plan(
        load_suite(write_suite(tmp_path, TEXT + 'assumed = ["A."]\ndeviations = ["B."]\non.digits.assumed = ["C."]\n')), tmp_path
    )
    assert [cell.spec for cell in plain.cells] == [cell.spec for cell in told.cells]


def test_an_axis_does_not_touch_what_a_variant_fixes_on_a_task(tmp_path: Path) -> None:
    path = write_suite(tmp_path, TEXT + "on.digits.settings.gates = true\n[axes]\ngates = [true, false]\n")
    assert [variant.name for variant in load_suite(path).variants] == ["uniform", "gated-pixelcnn"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("on.digit.settings.maps = 4", "variant.gated-pixelcnn.on: Unknown task of this variant 'digit'. Did you mean 'digits'?"),
        ("on.digits.settings.mapps = 4", "variant.gated-pixelcnn.on.digits.settings.mapps: there is no such setting; did you mean 'maps'?"),
        ("on.digits.setting.maps = 4", "variant.gated-pixelcnn.on.digits.setting: there is no such setting; did you mean 'settings'?"),
        ("budget.cpuu.updates = 4", "variant.gated-pixelcnn.budget: Unknown budget 'cpuu'. Did you mean 'cpu'?"),
        ("on.digits.budget.cpuu.updates = 4", "variant.gated-pixelcnn.on.digits.budget: Unknown budget 'cpuu'"),
        ("budget.cpu.updates = 0", "updates must be at least 1, got 0"),
        ("budget.cpu.recipe.batch = 0", "variant.gated-pixelcnn.budget.cpu.recipe: batch must be at least 1, got 0"),
        ('assumed = "A."', 'variant.gated-pixelcnn.assumed: expected a list, got "A."'),
    ],
)
def test_errors_of_a_variant_on_a_task_or_budget(tmp_path: Path, more: str, said: str) -> None:
    assert said in complaint(tmp_path, f"{TEXT}{more}\n")


def test_a_recipe_of_what_is_not_trained_is_an_error_anywhere(tmp_path: Path) -> None:
    for more in ("recipe.batch = 4", "on.digits.recipe.batch = 4", "budget.cpu.recipe.batch = 4"):
        text = TEXT.replace('family = "uniform"\n', f'family = "uniform"\n{more}\n')
        assert "variant.uniform.recipe: uniform is not trained, so it has no recipe" in complaint(tmp_path, text)


def test_selection_needs_validation_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    selecting = TEXT.replace("4e-3", "4e-3\nselect = 'best-validation'")
    assert load_suite(write_suite(tmp_path, selecting))
    everything = replace(get_task("digits"), sizes=(4000, 0, 1000))
    monkeypatch.setattr(resolve_module, "get_task", lambda name: everything)
    at, said = "variant.gated-pixelcnn.recipe: on task.digits", "needs validation images, and there are none; expected 'last'"
    assert f"{at}, select = 'best-validation' {said}" in complaint(tmp_path, selecting)
    assert "uniform" not in complaint(tmp_path, selecting)  # which has no recipe
    assert load_suite(write_suite(tmp_path))


def test_selection_is_part_of_a_trained_run_alone(tmp_path: Path) -> None:
    def keys(more: str) -> list[str]:
        text = TEXT.replace("4e-3", f"4e-3{more}")
        return [spec.key for spec in specs_of(load_suite(write_suite(tmp_path, text)), seeds=[0])]

    uniform, gated = keys("")
    assert keys("\nselect = 'last'") == [uniform, gated]
    same, other = keys("\nselect = 'best-validation'")
    assert (same, other) == (uniform, other)
    assert other != gated


def test_errors_of_shape_come_all_at_once(tmp_path: Path) -> None:
    text = TEXT.replace("seeds = [1, 2]", 'seeds = "all"').replace("4e-3", '"fast"').replace("updates = 10", "updates = 1.5")
    said = complaint(tmp_path, text)
    assert "has 3 errors:" in said
    assert '  recipe.learning_rate: expected a number, got "fast"' in said
    assert '  seeds: expected a list, got "all"' in said
    assert "  budget.cpu.updates: expected a whole number, got 1.5" in said


def test_errors_of_content_come_all_at_once(tmp_path: Path) -> None:
    text = TEXT.replace("4e-3", "-1").replace('"cpu"\nseeds', '"cpuu"\nseeds')
    said = complaint(tmp_path, text + 'settings = { gate = false, layers = "3" }\ntasks = ["digit"]\nexpect = "causal"\n')
    assert "variant.gated-pixelcnn.tasks: Unknown task of this suite 'digit'. Did you mean 'digits'?" in said
    assert "default_budget: Unknown budget 'cpuu'. Did you mean 'cpu'?" in said
    assert "recipe: learning_rate must be above 0" in said
    said = complaint(tmp_path, TEXT + 'settings = { gate = false, layers = "3" }\n')
    assert "variant.gated-pixelcnn.settings.gate: there is no such setting; did you mean 'gates'?" in said
    assert 'variant.gated-pixelcnn.settings.layers: expected a whole number, got "3"' in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('family = "gated-pixelcnn"', 'family = "gated"', "gated-pixelcnn.family: Unknown model 'gated'. Did you mean 'gated-pixel"),
        ('name = "digits"', 'name = "digit"', "Unknown task 'digit'. Did you mean 'digits'?"),
        ("layers = 1", "layer = 1", "task.digits.settings: Unknown setting 'layer'. Did you mean 'layers'?"),
        ("layers = 1", "layers = -1", "task.digits.settings: layers must be at least 0, got -1"),
        ("{ maps = 4 }", "{ mapps = 4 }", "budget.smoke.settings: Unknown setting 'mapps'. Did you mean 'maps'?"),
        ("updates = 2", "", "budget.smoke.updates: is missing"),
        ('family = "uniform"', 'family = "uniform"\nexpect = "leak"', "variant.uniform.expect: expected 'causal' or 'leaky', got 'leak'"),
        ("4e-3", "4e-3\noptimiser = 'adamm'", "expected 'adamw', 'adam', 'rmsprop' or 'adagrad', got 'adamm'; did you mean 'adam'?"),
        ("4e-3", "inf", "recipe.learning_rate: expected a finite number, got inf"),
        ("4e-3", "2024-01-01", "recipe.learning_rate: expected a number"),
        ("seeds = [1, 2]", "seeds = [1, 1]", "seeds must be different whole numbers"),
        ('name = "uniform"\n', 'name = "../up"\n', "a variant's name holds letters"),
        ('name = "gated-pixelcnn"\n', 'name = "uniform"\n', "variant.uniform: there are two of this name"),
        ("[budget.cpu]", "[axes]\nlayer = [1]\n[budget.cpu]", "axes.layer: Unknown setting 'layer'. Did you mean 'layers'?"),
        ("[budget.cpu]", "[axes]\ninput_encoding = ['a/b']\n[budget.cpu]", "axes: a variant's name holds letters"),
        ('family = "uniform"', 'family = "uniform"\nexpects = "x"', "variant.uniform.expects: there is no such setting; did you mean 'exp"),
        ('family = "uniform"', "", "variant.uniform.family: is missing"),
        ("[budget.cpu]", "[budgets.more]\nupdates = 3\n[budget.cpu]", "budgets: there is no such setting; did you mean 'budget'?"),
        ("[budget.cpu]", "[evaluation]\nsample = 3\n[budget.cpu]", "evaluation.sample: there is no such setting; did you mean 'samples'?"),
        ("maps = 8", 'maps = 8, head = "bernoulli"', "variant.gated-pixelcnn.settings: on task.digits, head"),
        (
            "layers = 1",
            'layers = 1, condition = "class", classes = 9',
            "on task.digits, classes must be 10, as many as its labels have, got 9",
        ),
        ("layers = 1", 'layers = 1, condition = "map", condition_size = 2', "condition = 'map' has nothing to come from"),
    ],
)
def test_one_error_is_one_sentence(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TEXT
    message = complaint(tmp_path, TEXT.replace(old, new))
    assert said in message
    assert "has an error: " in message
    assert "\n" not in message


def test_settings_that_do_not_fit_the_images_of_a_task(tmp_path: Path) -> None:
    photos = TEXT.replace('name = "digits"', 'name = "photos"')
    said = complaint(tmp_path, photos.replace("maps = 8", "maps = 2"))
    assert "variant.gated-pixelcnn.settings: on task.photos, maps must be at least 3" in said
    said = complaint(tmp_path, photos.replace("layers = 1", 'layers = 1, condition = "class", classes = 10'))
    assert "variant.gated-pixelcnn.settings: on task.photos, condition = 'class' needs labels" in said
    assert "tasks with labels: digits" in said


def test_a_folder_of_images_is_a_task(tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    text = TEXT.replace('name = "digits"', f'name = "folder:{folder}"')
    said = complaint(tmp_path, text)
    assert f"task.{shortened(f'folder:{folder}')}: There is no folder '{folder}'" in said
    assert "\n" not in said
    for split in ("train", "valid"):
        (folder / split).mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (6, 5), (index, 0, 0)).save(folder / split / f"{index}.png")
    suite = load_suite(write_suite(tmp_path, text))
    assert [(task.name, variant.name) for task, variant in pairs(suite)] == [
        (f"folder:{folder}", "uniform"),
        (f"folder:{folder}", "gated-pixelcnn"),
    ]
    assert "on task.folder:" in complaint(tmp_path, text.replace("maps = 8", "maps = 2"))


def test_files_that_are_no_suite(tmp_path: Path) -> None:
    path = write_suite(tmp_path, "name = x")
    with pytest.raises(UserError, match=r"is not valid TOML: .*line 1.*"):
        load_suite(path)
    Path(path).write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="is not UTF-8"):
        load_suite(path)
    with pytest.raises(UserError, match=r"There is no suite file '.*tny\.toml'; did you mean '.*tiny\.toml'\?"):
        load_suite(str(tmp_path / "tny.toml"))
    with pytest.raises(UserError, match="There is no suite file"):
        load_suite(f"{tmp_path}/")
    with pytest.raises(UserError, match=r"Unknown suite 'quik'\. Did you mean 'quick'"):
        load_suite("quik")


def test_suites_and_plans_need_no_torch() -> None:
    program = (
        "import sys, pathlib; from pixelbench.suites.load import load_suite; from pixelbench.experiments.plan import make_plan\n"
        "import pixelbench.experiments.schedule.scheduler\n"
        "make_plan(load_suite('quick'), pathlib.Path('nowhere'))\n"
        "print(sorted({'torch', 'pandas', 'sklearn', 'skimage'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_variant_has_seeds_of_its_own_and_on_a_task(tmp_path: Path) -> None:
    text = TEXT.replace("[[variant]]\n", "[[variant]]\nseeds = [0, 2]\non.digits.seeds = [5]\n", 1)
    suite = load_suite(write_suite(tmp_path, text))
    own = suite.variants[0].name
    requested = {variant.name: [spec.seed for spec in specs_of(suite) if spec.variant == variant.name] for variant in suite.variants}
    assert requested.pop(own) == [5]
    assert set(map(tuple, requested.values())) == {suite.seeds}
    assert {spec.seed for spec in specs_of(suite, seeds=[7])} == {7}
    elsewhere = load_suite(write_suite(tmp_path, text.replace("on.digits", "on.photos").replace('name = "digits"', 'name = "photos"')))
    assert [spec.seed for spec in specs_of(elsewhere) if spec.variant == own] == [5]
    on_neither = load_suite(write_suite(tmp_path, text.replace("on.digits.seeds = [5]\n", "")))
    assert [spec.seed for spec in specs_of(on_neither) if spec.variant == own] == [0, 2]
    for wrong in ("[]", "[1, 1]", "[-1]"):
        assert "seeds must be different whole numbers" in complaint(tmp_path, text.replace("seeds = [0, 2]", f"seeds = {wrong}"))
