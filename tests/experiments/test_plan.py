"""Plans: every state of a cell, every selection."""

import json
import shutil
import time
from pathlib import Path

import pytest
from suite_file import TEXT, tiny_plan, write_suite

from pixelbench.errors import NothingMatched, UserError
from pixelbench.experiments import plan as planning
from pixelbench.experiments.cost import Costs, device_kind
from pixelbench.experiments.failure import failed_record
from pixelbench.experiments.plan import Cell, Plan, make_plan
from pixelbench.store import run_folder, write_record
from pixelbench.suites.load import load_suite
from pixelbench.suites.schema import Suite
from pixelbench.suites.specs import resolve_precision


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return load_suite(write_suite(tmp_path))


def end(cell: Cell, status: str, *, seconds: float = 3.0, source: str | None = None) -> None:
    record = failed_record(cell.spec, {"type": "x", "message": "x"}, device="cpu", threads=1, seconds=seconds)
    if source:
        record["provenance"]["source_digest"] = source
    write_record(cell.folder, record | {"status": status, "error": None})


def states(plan: Plan) -> list[tuple[str, bool]]:
    return [(cell.state, cell.runs) for cell in plan.cells]


def test_an_empty_store_misses_everything(tmp_path: Path, suite: Suite) -> None:
    plan = make_plan(suite, tmp_path / "runs")
    assert [cell.spec.label for cell in plan.cells] == [
        f"digits/{variant} seed {seed}" for variant in ("uniform", "gated-pixelcnn") for seed in (1, 2)
    ]
    assert all(cell.runs and cell.state == "missing" and cell.seen is None for cell in plan.cells)
    assert all(cell.folder == run_folder(tmp_path / "runs", cell.spec) for cell in plan.cells)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("rerun", "made"),
    [("missing", [0, 1]), ("failed", [0, 1, 3, 4, 5, 6]), ("stale", [0, 1, 7]), ("all", list(range(8)))],
)
def test_states_and_rerun(tmp_path: Path, rerun: str, made: list[int]) -> None:
    cells = tiny_plan(tmp_path, list(range(8))).cells
    end(cells[1], "interrupted")
    end(cells[2], "done")
    for cell, status in zip(cells[3:6], ("failed", "diverged", "timeout"), strict=True):
        end(cell, status)
    end(cells[6], "done")
    (cells[6].folder / "record.json").write_text("{")
    end(cells[7], "done", source="older")
    plan = tiny_plan(tmp_path, list(range(8)), rerun=rerun)
    assert [cell.state for cell in plan.cells] == ["missing", "missing", "stored", *["failed"] * 4, "stale"]
    assert [index for index, cell in enumerate(plan.cells) if cell.runs] == made
    assert len(plan.problems) == 1


def test_a_record_of_a_newer_version_is_never_overwritten(tmp_path: Path) -> None:
    cell = tiny_plan(tmp_path, [0]).cells[0]
    end(cell, "done")
    (cell.folder / "record.json").write_text('{"schema": 99}')
    assert states(tiny_plan(tmp_path, [0], rerun="all")) == [("failed", False)]


def test_a_run_is_found_under_another_name(tmp_path: Path) -> None:
    end(tiny_plan(tmp_path, [0]).cells[0], "done")
    renamed = load_suite(write_suite(tmp_path, TEXT.replace('name = "uniform"\nfamily', 'name = "flat"\nfamily')))
    plan = make_plan(renamed, tmp_path / "runs", only=["flat"], seeds=[0])
    assert states(plan) == [("stored", False)]
    assert plan.cells[0].folder.parent.name == "uniform"


def test_two_variants_of_one_run_make_it_once(tmp_path: Path) -> None:
    twins = load_suite(write_suite(tmp_path, TEXT + '[[variant]]\nname = "twin"\nfamily = "gated-pixelcnn"\nsettings = { maps = 16 }\n'))
    assert len(make_plan(twins, tmp_path, seeds=[0]).cells) == 3
    plan = make_plan(twins, tmp_path, seeds=[0], budget="smoke")
    assert [cell.spec.variant for cell in plan.cells] == ["uniform", "gated-pixelcnn"]
    assert plan.problems == ("digits/twin seed 0 asks for the same run as digits/gated-pixelcnn seed 0; it is made once, under that name.",)


@pytest.mark.parametrize(
    ("only", "expected"),
    [(["uniform"], 2), (["digits"], 4), (["digits/gated*"], 2), (["*pixelcnn", "uniform"], 4), (["d*/uni?orm"], 2)],
)
def test_only(tmp_path: Path, suite: Suite, only: list[str], expected: int) -> None:
    assert len(make_plan(suite, tmp_path, only=only).cells) == expected


def test_nothing_matched_names_the_nearest(tmp_path: Path, suite: Suite) -> None:
    with pytest.raises(NothingMatched, match=r"^No run of suite 'tiny' matches 'gated-pixlcnn'; did you mean 'gated-pixelcnn'\?$"):
        make_plan(suite, tmp_path, only=["gated-pixlcnn"])


def test_limit_budget_and_precision_are_in_the_key(tmp_path: Path, suite: Suite) -> None:
    def network(**choices: object) -> Cell:
        return make_plan(suite, tmp_path, only=["gated-pixelcnn"], seeds=[0], **choices).cells[0]  # type: ignore[arg-type]

    plain = network()
    same = {"sequential_images": 8, "importance_samples": 1}
    assert plain.spec.evaluation == {"test_images": None, "validation_images": None, "samples": 16, **same}
    limited = network(limit=10)
    assert limited.spec.evaluation == {"test_images": 10, "validation_images": 10, "samples": 10, **same}
    assert network(device="cuda:1").spec.recipe["precision"] == "bf16"
    assert plain.spec.recipe["precision"] == "fp32"
    assert network(precision="fp32", device="cuda").spec.key == plain.spec.key
    assert len({cell.spec.key for cell in (plain, limited, network(budget="smoke"), network(device="cuda"))}) == 4


def test_precision() -> None:
    assert resolve_precision("auto", "auto", "cuda") == "bf16"
    assert resolve_precision("auto", "fp32", "cuda") == "fp32"
    assert resolve_precision("bf16", "fp32", "cpu") == "bf16"


def test_shards_are_a_partition(tmp_path: Path, suite: Suite) -> None:
    whole = {cell.spec.key for cell in make_plan(suite, tmp_path, seeds=range(5)).cells}
    shards = [{cell.spec.key for cell in make_plan(suite, tmp_path, seeds=range(5), shard=(i, 3)).cells} for i in (1, 2, 3)]
    assert sum(map(len, shards)) == len(whole) == 10
    assert set.union(*shards) == whole


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"budget": "smok"}, "Unknown budget 'smok'. Did you mean 'smoke'"),
        ({"rerun": "stall"}, "Unknown choice of --rerun 'stall'. Did you mean 'stale'"),
        ({"precision": "fp16"}, "Unknown precision 'fp16'"),
        ({"limit": 0}, "--limit must be at least 1, got 0"),
        ({"shard": (4, 3)}, "got 4/3"),
    ],
)
def test_wrong_choices(tmp_path: Path, suite: Suite, choices: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        make_plan(suite, tmp_path, **choices)


def test_cost_comes_from_stored_runs(tmp_path: Path) -> None:
    assert tiny_plan(tmp_path, [0]).seconds is None
    end(tiny_plan(tmp_path, [0]).cells[0], "done", seconds=4.0)
    end(tiny_plan(tmp_path, [1]).cells[0], "done", seconds=6.0)
    plan = tiny_plan(tmp_path, [0, 1, 2, 3])
    assert [cell.seconds for cell in plan.cells] == [4.0, 6.0, 5.0, 5.0]
    assert plan.seconds == 10.0


def test_runs_on_another_kind_of_device_tell_nothing(tmp_path: Path) -> None:
    for cell in tiny_plan(tmp_path, [0, 1]).cells:
        end(cell, "done", seconds=4.0)
    record = json.loads((tiny_plan(tmp_path, [1]).cells[0].folder / "record.json").read_text())
    record["provenance"]["device"] = "cuda:1 (NVIDIA H100 80GB HBM3)"
    write_record(tiny_plan(tmp_path, [1]).cells[0].folder, record | {"cost": record["cost"] | {"seconds": 1.0}})
    plan = tiny_plan(tmp_path, [0, 1, 2])
    assert (plan.device, [cell.seconds for cell in plan.cells]) == ("cpu", [4.0, 4.0, 4.0])
    plan = tiny_plan(tmp_path, [2], device="cuda")  # of a name that is not known without torch
    assert (plan.device, plan.seconds) == ("cuda", None)
    costs = Costs([record], "cuda (NVIDIA H100 80GB HBM3)")
    assert costs.of(plan.cells[0].spec) == 4.0
    assert [device_kind(title) for title in ("cpu", "cuda:3 (A B)", "cuda (A B)")] == ["cpu", "cuda (A B)", "cuda (A B)"]


def test_a_longer_training_costs_by_its_updates(tmp_path: Path, suite: Suite) -> None:
    cell = make_plan(suite, tmp_path / "runs", only=["gated-pixelcnn"], seeds=[0]).cells[0]
    record = failed_record(cell.spec, {"type": "x", "message": "x"}, device="cpu", threads=1, seconds=30.0)
    cost = record["cost"] | {"train_seconds": 20.0, "updates": 10}
    write_record(cell.folder, record | {"status": "done", "error": None, "cost": cost})
    longer = load_suite(write_suite(tmp_path, TEXT.replace("updates = 10", "updates = 40")))
    assert make_plan(longer, tmp_path / "runs", only=["gated-pixelcnn"], seeds=[5]).seconds == 10.0 + 4 * 20.0
    wider = load_suite(write_suite(tmp_path, TEXT.replace("maps = 8", "maps = 9")))
    assert make_plan(wider, tmp_path / "runs", only=["gated-pixelcnn"], seeds=[0]).seconds is None


def test_stale_follows_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    end(tiny_plan(tmp_path, [0]).cells[0], "done")
    assert states(tiny_plan(tmp_path, [0])) == [("stored", False)]
    monkeypatch.setattr(planning, "source_digest", lambda modules: "other")
    assert states(tiny_plan(tmp_path, [0])) == [("stale", False)]


def test_two_hundred_runs_are_planned_within_half_a_second(tmp_path: Path, suite: Suite) -> None:
    cells = make_plan(suite, tmp_path / "runs", seeds=range(100)).cells
    end(cells[0], "done")
    sound = (cells[0].folder / "record.json").read_text()
    for cell in cells[1:]:
        cell.folder.mkdir(parents=True)
        (cell.folder / "record.json").write_text(sound.replace(cells[0].spec.key, cell.spec.key))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        assert [cell.state for cell in make_plan(suite, tmp_path / "runs", seeds=range(100)).cells] == ["stored"] * 200
        times.append(time.perf_counter() - start)
    assert min(times) <= 0.5, times
    shutil.rmtree(tmp_path / "runs")
