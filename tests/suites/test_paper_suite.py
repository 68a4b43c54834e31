"""The suite `paper`: every cell that a figure names, what is chosen said beside it, and runs shared with the suites made of it."""

from dataclasses import asdict
from pathlib import Path

import pytest

from pixelbench.experiments.plan import make_plan
from pixelbench.models.families import FAMILIES, Published, get_family
from pixelbench.published.figure_files import load_figures
from pixelbench.published.figures import figures_about
from pixelbench.published.rows import SUITES
from pixelbench.suites.ablation import load_ablation, on_task
from pixelbench.suites.load import ablation_names, load_suite, suite_names
from pixelbench.suites.resolve import pairs
from pixelbench.suites.schema import Suite
from pixelbench.suites.setting_origins import SettingOrigins, setting_origins

#: Families without training, which no paper is about.
BASELINES = {"uniform", "histogram", "png", "webp"}
#: In the suite although no number was published: a curve only.
CURVES = {("cifar10", "pixelcnn-pp-softmax")}
#: Fitted without a recipe, and published all the same.
FITTED = {("mnist-fixed", f"mixture-of-bernoullis-{components}") for components in (10, 500)}


@pytest.fixture(scope="module")
def paper() -> Suite:
    return load_suite("paper")


@pytest.fixture(scope="module")
def runs(paper: Suite) -> dict[tuple[str, str], SettingOrigins]:
    return {(task.name, variant.name): setting_origins(paper, task, variant, "paper") for task, variant in pairs(paper)}


def keys(suite: Suite, budget: str | None = None, only: tuple[str, ...] = ()) -> dict[str, str]:
    plan = make_plan(suite, Path("none"), budget=budget, only=only, seeds=[0])
    assert not plan.problems
    return {f"{cell.spec.task['name']}/{cell.spec.variant}": cell.spec.key for cell in plan.cells}


def plain(run: SettingOrigins) -> dict[str, object]:
    return {name: choice.value for name, choice in run.settings.items()}


def test_it_has_every_cell_that_a_figure_names_and_no_other(runs: dict[tuple[str, str], SettingOrigins]) -> None:
    """But for the cells of the tables in which papers take their models apart: see test_table_suites.py."""
    apart = {(task.name, variant.name) for suite in SUITES[1:] for task, variant in pairs(load_suite(suite))}
    named = {(figure.task, figure.variant) for figure in load_figures() if figure.task} - (apart - set(runs))
    trained = {cell for cell, run in runs.items() if run.recipe}
    assert named == trained - CURVES | FITTED
    assert {variant for _, variant in runs} >= BASELINES
    assert len({task for task, variant in runs if variant == "png"}) == 4


@pytest.mark.parametrize(
    "entry", [(name, entry) for name, family in FAMILIES.items() for entry in family.published], ids=lambda e: e[1].where
)
def test_settings_that_a_paper_states_are_taken(runs: dict[tuple[str, str], SettingOrigins], entry: tuple[str, Published]) -> None:
    """Some network of the suite, on images of that shape, has every setting that the paper states for it."""
    family, stated = entry
    get_family(family).parse(stated.settings)
    sides = {"mnist-fixed": (1, 28, 28), "cifar10": (3, 32, 32), "imagenet32": (3, 32, 32), "imagenet64": (3, 64, 64)}
    alike = [plain(run) for (task, _), run in runs.items() if run.family == family and sides[task] == stated.shape]
    assert any(stated.settings.items() <= settings.items() for settings in alike)


def test_optimisers_batches_and_updates_of_the_papers(runs: dict[tuple[str, str], SettingOrigins]) -> None:
    stated = {
        ("cifar10", "pixelcnn"): {"optimiser": "rmsprop", "batch": 16},
        ("imagenet32", "row-lstm"): {"optimiser": "rmsprop", "batch": 64},
        ("imagenet64", "row-lstm"): {"optimiser": "rmsprop", "batch": 32},
        ("imagenet32", "gated-pixelcnn"): {"batch": 128},
        ("mnist-fixed", "pixelvae"): {"optimiser": "adam", "learning_rate": 1e-3, "batch": 100},
        ("cifar10", "pixelcnn-pp"): {"optimiser": "adam", "learning_rate": 1e-3, "decay": 0.999995, "ema": 0.9995, "batch": 128},
        ("cifar10", "pixelsnail"): {"learning_rate": 1e-3, "decay": 0.999998, "ema": 0.9995},
        ("imagenet32", "pixelsnail"): {"ema": 0.9997},
    }
    for cell, recipe in stated.items():
        assert recipe == {name: runs[cell].recipe[name].value for name in recipe}, cell
    for cell in (("imagenet32", "gated-pixelcnn"), ("imagenet64", "gated-pixelcnn"), ("mnist-fixed", "pixelvae")):
        updates = runs[cell].updates
        assert updates is not None
        assert updates.value == 200_000, cell
    assert plain(runs["imagenet64", "row-lstm"])["residual"] is False
    assert (plain(runs["imagenet32", "pixelsnail"])["components"], plain(runs["imagenet32", "pixelsnail"])["dropout"]) == (32, 0.0)


def test_all_that_is_trained_says_what_is_assumed_and_nothing_else_does(runs: dict[tuple[str, str], SettingOrigins]) -> None:
    for cell, run in runs.items():
        assert bool(run.assumed) == (bool(run.recipe) or cell in FITTED), cell
        sentences = (*run.assumed, *run.deviations)
        assert all(sentence.endswith(".") and (sentence[0].isalnum() or sentence[0] == '"') for sentence in sentences), cell
        assert len(set(sentences)) == len(sentences), cell


def test_every_budget_makes_every_cell_and_shrinks(paper: Suite) -> None:
    cells = {budget: keys(paper, budget) for budget in paper.budgets}
    assert set(cells) == {"smoke", "cpu", "short", "paper"}
    assert len({frozenset(made) for made in cells.values()}) == 1
    for task, variant in pairs(paper):
        whole, small = (setting_origins(paper, task, variant, budget) for budget in ("paper", "smoke"))
        if whole.updates and small.updates:
            assert small.updates.value < whole.updates.value
            for width in {"maps", "hidden"} & set(plain(whole)):
                assert plain(small)[width] <= plain(whole)[width]  # type: ignore[operator]


def test_on_fixed_mnist_the_cpu_budget_is_the_mnist_suite(paper: Suite) -> None:
    mine, theirs = keys(paper, "cpu", ("mnist-fixed",)), keys(load_suite("mnist"))
    del theirs["mnist-fixed/pixelvae-free-bits"]  # of no paper: latents in use at a CPU's budget
    assert set(theirs) < set(mine)
    assert {cell: mine[cell] for cell in theirs} == theirs


def test_runs_of_the_mnist_suite_that_are_stored_keep_their_keys() -> None:
    kept = {"gated-pixelcnn": "4d27884852e8", "pixelvae": "8500e6eb5ace", "uniform": "c252db1d70b0", "histogram": "254a832ce874"}
    made = keys(load_suite("mnist"))
    assert {name: made[f"mnist-fixed/{name}"] for name in kept} == kept
    stored = Path(__file__).parents[2] / "results" / "mnist-fixed"
    assert all((stored / name / key / "record.json").is_file() for name, key in kept.items())


def test_the_suite_cifar10_is_its_part_of_the_paper_suite(paper: Suite) -> None:
    for budget in paper.budgets:
        assert keys(load_suite("cifar10"), budget) == keys(paper, budget, ("cifar10",))
    assert load_suite("cifar10").default_budget == "cpu"


def test_the_suite_table4_is_rows_of_the_paper_suite_three_seeds_each(paper: Suite) -> None:
    table = load_suite("table4")
    assert (table.default_budget, table.seeds) == ("paper", (0, 1, 2))
    mine = keys(table)
    for budget in paper.budgets:
        assert keys(table, budget).items() < keys(paper, budget, ("mnist-fixed",)).items()
    predecessors = {"mixture-of-bernoullis-10", "mixture-of-bernoullis-500", "fvsbn", "nade", "made-1-layer", "made-1-layer-32-masks"}
    line = {"pixelcnn", "pixelcnn-15x32", "row-lstm", "diagonal-bilstm-1", "diagonal-bilstm-7", "gated-pixelcnn"}
    assert set(mine) == {f"mnist-fixed/{name}" for name in predecessors | line}
    judged = {figure.variant for figure in load_figures() if figure.task == "mnist-fixed" and figure.kind == "paper"}
    assert predecessors | line <= judged


def test_a_figure_that_was_seen_stands_before_one_from_memory() -> None:
    first, second = figures_about("mnist-fixed", "nade", load_figures())
    assert (first.printed, first.verified) == ("88.33", True)
    assert (second.printed, second.verified) == ("88.86", False)


def test_the_suite_ablations_is_all_ablations_on_their_own_tasks() -> None:
    suite = load_suite("ablations")
    for budget in ("smoke", "cpu", "short"):
        parts: set[str] = set()
        for name in ablation_names():
            whole, requested = load_ablation(name)
            alone, _ = on_task(whole, requested)
            parts |= set(keys(alone, budget).values())
        plan = make_plan(suite, Path("none"), budget=budget, seeds=[0])
        assert {cell.spec.key for cell in plan.cells} == parts, budget
        assert not plan.problems


def test_main_suites_ship() -> None:
    assert {"paper", "cifar10", "ablations", "mnist", "quick", "pixelcnn-pp-tables", "row-lstm-tables", "table4", "zoo"} == set(
        suite_names()
    )


def test_where_a_setting_comes_from(paper: Suite) -> None:
    task = next(task for task in paper.tasks if task.name == "mnist-fixed")
    variant = next(variant for variant in paper.variants if variant.name == "pixelcnn")
    settings = setting_origins(paper, task, variant, "cpu").settings
    assert asdict(settings["layers"]) == {"value": 6, "origin": "variant.pixelcnn.on.mnist-fixed.budget.cpu.settings"}
    assert asdict(settings["skip"]) == {"value": False, "origin": "task.mnist-fixed.budget.cpu.settings"}
    assert asdict(settings["head"]) == {"value": "bernoulli", "origin": "task.mnist-fixed.settings"}
    assert asdict(settings["residual"]) == {"value": True, "origin": "default of pixelcnn"}
    settings = setting_origins(paper, task, variant, "paper").settings
    assert settings["layers"].origin == "variant.pixelcnn.on.mnist-fixed.settings"
    assert settings["skip"].origin == "variant.pixelcnn.settings"


def test_weights_are_normalised_where_the_code_behind_a_row_does_it_and_at_no_shorter_budget(paper: Suite) -> None:
    rows = {"gated-pixelcnn", "pixelvae", "pixelvae-upsampling", "pixelvae-relu", "vae"}
    for task, variant in pairs(paper):
        for budget in paper.budgets:
            chosen = plain(setting_origins(paper, task, variant, budget))
            expected = task.name == "mnist-fixed" and variant.name in rows and budget == "paper"
            assert chosen.get("weight_norm", False) is expected, (task.name, variant.name, budget)


def test_pixelvae_code_clips_each_number_and_adam_has_the_epsilon_of_a_root(
    paper: Suite, runs: dict[tuple[str, str], SettingOrigins]
) -> None:
    """In units of a mean a sub-pixel: the codes' losses are sums, of 784 terms an image on the mean, or over a whole batch."""
    for variant in ("gated-pixelcnn", "pixelvae", "pixelvae-upsampling", "pixelvae-relu", "vae"):
        recipe = runs["mnist-fixed", variant].recipe
        assert recipe["clip"].value == 0.0
        assert recipe["clip_value"].value == pytest.approx(1 / 784, rel=5e-3)
    for budget in ("cpu", "short", "smoke"):
        for task, variant in pairs(paper):
            recipe = setting_origins(paper, task, variant, budget).recipe
            assert not recipe or recipe["clip_value"].value == 0.0
    for variant, inside, images in [(name, 1e-8, 128) for name in ("pixelcnn-pp", "pixelcnn-pp-class", "pixelcnn-pp-softmax")] + [
        ("pixelsnail", 1e-6, 64)
    ]:
        recipe = runs["cifar10", variant].recipe
        assert recipe["batch"].value == images
        assert recipe["constants"].value["epsilon"] == pytest.approx(inside**0.5 / (images * 3072), rel=2e-2)


def test_pixelvae_without_gates_is_the_gated_one_and_the_vae_has_its_recipe(runs: dict[tuple[str, str], SettingOrigins]) -> None:
    gated, relu, vae = (runs["mnist-fixed", name] for name in ("pixelvae-upsampling", "pixelvae-relu", "vae"))
    assert plain(relu) == plain(gated) | {"gates": False}
    for run in (relu, vae):
        assert {name: one.value for name, one in run.recipe.items()} == {name: one.value for name, one in gated.recipe.items()}
        assert (run.updates and run.updates.value) == (gated.updates and gated.updates.value)
    assert {figure.printed for figure in figures_about("mnist-fixed", "vae", load_figures())} == {"87.41"}
    assert {figure.printed for figure in figures_about("mnist-fixed", "pixelvae-relu", load_figures())} == {"80.64"}
