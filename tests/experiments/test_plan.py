"""Plans: every state of a cell, every selection."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pixelbench.errors import NothingMatched, UserError
from pixelbench.experiments.cost import Costs, device_kind
from pixelbench.experiments.plan import Plan, PlannedRun, make_plan
from pixelbench.experiments.verify.staleness import KnownCode
from pixelbench.published.figure_files import load_figures
from pixelbench.published.figures import figures_about
from pixelbench.store import cache, record_file
from pixelbench.store.record import Request, Stretch
from pixelbench.store.record_file import read_record, run_folder
from pixelbench.suites.load import load_suite
from pixelbench.suites.schema import Suite
from pixelbench.suites.specs import resolve_precision
from tests.support.ended_run import end
from tests.support.fingerprints import made_up_fingerprint
from tests.support.record_factory import as_schema_1, nats_around, nats_file, rewrite
from tests.support.suite_file import TEXT, tiny_plan, write_suite

pytestmark = pytest.mark.quick


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return load_suite(write_suite(tmp_path))


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


@pytest.fixture
def twelve(tmp_path: Path) -> list[str]:
    """A store in which each of the first twelve seeds is in another state; the states."""
    store, specs = tmp_path / "runs", [cell.spec for cell in tiny_plan(tmp_path, list(range(12))).cells]
    same, other = made_up_fingerprint(1.0), made_up_fingerprint(2.0)
    ends: list[tuple[str, dict[str, Any]]] = [
        ("interrupted", {}),
        ("done", {}),
        ("failed", {}),
        ("diverged", {}),
        ("timeout", {}),
        ("done", {}),  # damaged, see below
        ("done", {}),  # does not add up, see below
        ("done", {"source": "older", "behaviour": same}),
        ("done", {"source": "older", "behaviour": other}),
        ("done", {"source": "older"}),  # of which nobody knows what its code computed
        ("done", {}),  # of schema 1
    ]
    for spec, (status, fields) in zip(specs[1:], ends, strict=True):
        end(store, spec, status, **fields)
    (run_folder(store, specs[6]) / "record.json").write_text("{")
    (run_folder(store, specs[7]) / "nats.npz").write_bytes(nats_file(*nats_around(1.4, read_record(run_folder(store, specs[7])))))
    as_schema_1(run_folder(store, specs[11]))
    KnownCode(store).remember(specs[8], same)
    expected = ["missing", "missing", "stored", "failed", "failed", "failed", "failed", "failed"]
    return [*expected, "stored", "stale", "unverified", "unverified"]


@pytest.mark.parametrize(
    ("rerun", "executed"),
    [
        ("missing", [0, 1]),
        ("failed", [0, 1, 3, 4, 5, 6, 7]),
        ("stale", [0, 1, 9, 10, 11]),
        ("all", list(range(12))),
    ],
)
def test_states_and_rerun(tmp_path: Path, twelve: list[str], rerun: str, executed: list[int]) -> None:
    plan = tiny_plan(tmp_path, list(range(12)), rerun=rerun)
    assert [cell.state for cell in plan.cells] == twelve
    assert [index for index, cell in enumerate(plan.cells) if cell.runs] == executed
    damaged, doubted = plan.problems
    assert f"{plan.cells[6].folder / 'record.json'} is damaged" in damaged
    assert f"{plan.cells[7].folder / 'record.json'} does not add up" in doubted
    assert "nats.npz is not the file that the run left" in doubted


def test_a_doubted_run_that_the_plan_does_not_ask_for_is_not_its_problem(tmp_path: Path, twelve: list[str]) -> None:
    assert [problem for problem in tiny_plan(tmp_path, [2]).problems if "does not add up" in problem] == []


def test_a_record_of_a_newer_version_is_never_overwritten(tmp_path: Path) -> None:
    cell = tiny_plan(tmp_path, [0]).cells[0]
    end(tmp_path / "runs", cell.spec)
    (cell.folder / "record.json").write_text('{"schema": 99}')
    assert states(tiny_plan(tmp_path, [0], rerun="all")) == [("failed", False)]


def test_a_run_is_found_under_another_name(tmp_path: Path) -> None:
    end(tmp_path / "runs", tiny_plan(tmp_path, [0]).cells[0].spec)
    renamed = load_suite(write_suite(tmp_path, TEXT.replace('name = "uniform"\nfamily', 'name = "flat"\nfamily')))
    plan = make_plan(renamed, tmp_path / "runs", only=["flat"], seeds=[0])
    assert states(plan) == [("stored", False)]
    assert plan.cells[0].folder.parent.name == "uniform"


def test_two_variants_of_one_run_make_it_once(tmp_path: Path) -> None:
    twins = load_suite(write_suite(tmp_path, TEXT + '[[variant]]\nname = "twin"\nfamily = "gated-pixelcnn"\nsettings = { maps = 16 }\n'))
    assert len(make_plan(twins, tmp_path, seeds=[0]).cells) == 3
    plan = make_plan(twins, tmp_path, seeds=[0], budget="smoke")
    assert [cell.spec.variant for cell in plan.cells] == ["uniform", "gated-pixelcnn"]
    assert plan.problems == (
        "digits/twin seed 0 asks for the same run as digits/gated-pixelcnn seed 0; it is executed once, under that name.",
    )


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
    def network(**choices: object) -> PlannedRun:
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
    for cell, seconds in zip(tiny_plan(tmp_path, [0, 1]).cells, (4.0, 6.0), strict=True):
        end(tmp_path / "runs", cell.spec, seconds=seconds)
    plan = tiny_plan(tmp_path, [0, 1, 2, 3])
    assert [cell.seconds for cell in plan.cells] == [4.0, 6.0, 5.0, 5.0]
    assert tiny_plan(tmp_path, [0, 1, 2, 3], rerun="all").seconds == 20.0


def test_a_run_that_was_cut_off_took_what_all_its_attempts_did(tmp_path: Path) -> None:
    spec = tiny_plan(tmp_path, [0]).cells[0].spec
    record = end(tmp_path / "runs", spec, seconds=4.0)
    whole = replace(record, cost=replace(record.cost, seconds=4.0, train_seconds=9.0, evaluate_seconds=2.0))
    assert Costs([record], "cpu").of(spec) == 4.0
    assert Costs([whole], "cpu").of(spec) == 11.0
    elsewhere = replace(whole, provenance=replace(whole.provenance, earlier=(Stretch(1, "cuda (A)"),)))
    unknown = replace(whole, provenance=replace(whole.provenance, earlier=(Stretch(1),)))
    assert [Costs([each], "cpu").of(spec) for each in (elsewhere, unknown)] == [None, 11.0]


def test_runs_on_another_kind_of_device_tell_nothing(tmp_path: Path) -> None:
    here, elsewhere = (cell.spec for cell in tiny_plan(tmp_path, [0, 1]).cells)
    end(tmp_path / "runs", here, seconds=4.0)
    there = end(tmp_path / "runs", elsewhere, seconds=1.0, device="cuda:1 (NVIDIA H100 80GB HBM3)")
    plan = tiny_plan(tmp_path, [0, 1, 2])
    assert (plan.device, [cell.seconds for cell in plan.cells]) == ("cpu", [4.0, 4.0, 4.0])
    plan = tiny_plan(tmp_path, [2], device="cuda")  # of a name that is not known without torch: any GPU tells something of it
    assert (plan.device, plan.seconds) == ("cuda", 1.0)
    assert Costs([there], "cuda (NVIDIA H100 80GB HBM3)").of(plan.cells[0].spec) == 1.0
    assert Costs([there], "cuda (NVIDIA A100)").of(plan.cells[0].spec) is None
    assert [device_kind(title) for title in ("cpu", "cuda:3 (A B)", "cuda (A B)")] == ["cpu", "cuda (A B)", "cuda (A B)"]


def test_a_longer_training_costs_by_its_updates(tmp_path: Path, suite: Suite) -> None:
    cell = make_plan(suite, tmp_path / "runs", only=["gated-pixelcnn"], seeds=[0]).cells[0]
    end(tmp_path / "runs", cell.spec, seconds=30.0, train_seconds=20.0)
    longer = load_suite(write_suite(tmp_path, TEXT.replace("updates = 10", "updates = 40")))
    assert make_plan(longer, tmp_path / "runs", only=["gated-pixelcnn"], seeds=[5]).seconds == 10.0 + 4 * 20.0
    wider = load_suite(write_suite(tmp_path, TEXT.replace("maps = 8", "maps = 9")))
    assert make_plan(wider, tmp_path / "runs", only=["gated-pixelcnn"], seeds=[0]).seconds is None


def test_other_code_is_unverified_until_somebody_has_looked_what_it_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, spec = tmp_path / "runs", tiny_plan(tmp_path, [0]).cells[0].spec
    end(store, spec, behaviour=made_up_fingerprint(1.0))
    assert states(tiny_plan(tmp_path, [0])) == [("stored", False)]
    for module in ("code_digest", "verify.staleness"):
        monkeypatch.setattr(f"pixelbench.experiments.{module}.code_digest", lambda family: "f" * 64)
    assert states(tiny_plan(tmp_path, [0])) == [("unverified", False)]
    for number, state in ((1.0, "stored"), (2.0, "stale")):
        KnownCode(store).remember(spec, made_up_fingerprint(number))
        assert states(tiny_plan(tmp_path, [0])) == [(state, False)]


def test_what_one_seed_showed_of_the_code_holds_for_all_and_for_no_other_cell(tmp_path: Path, suite: Suite) -> None:
    store = tmp_path / "runs"
    specs = [cell.spec for cell in make_plan(suite, store, seeds=[0, 1]).cells]
    for spec in specs:
        end(store, spec, source="older", behaviour=made_up_fingerprint(1.0))
    KnownCode(store).remember(specs[0], made_up_fingerprint(1.0))
    found = [cell.state for cell in make_plan(suite, store, seeds=[0, 1]).cells]
    assert found == ["stored", "stored", "unverified", "unverified"]


def test_a_run_whose_seed_was_edited_is_failed_where_it_lies(tmp_path: Path) -> None:
    """Its key is not the hash of what it says any more."""
    spec = tiny_plan(tmp_path, [0]).cells[0].spec
    end(tmp_path / "runs", spec)
    rewrite(run_folder(tmp_path / "runs", spec), lambda record: replace(record, seed=1))
    plan = tiny_plan(tmp_path, [0, 1])
    assert [cell.state for cell in plan.cells] == ["failed", "missing"]
    assert f"its run key is {spec.key}" in plan.problems[0]


def test_every_cell_knows_the_command_that_asks_for_it(tmp_path: Path, suite: Suite) -> None:
    cells = make_plan(suite, tmp_path, limit=7, precision="auto", device="cuda", budget="smoke", seeds=[0]).cells
    assert {cell.request for cell in cells} == {Request("run", "tiny", "digits", "smoke", 7, "auto")}
    (cell,) = make_plan(suite, tmp_path, only=["uniform"], seeds=[0], precision="fp32", command="ablate", suite_name="mine.toml").cells
    assert cell.request == Request("ablate", "mine.toml", "digits", "cpu", None, "fp32")


MEBIBYTE = 1 << 20
EVERYTHING = 1 << 62


def kept(suite: Suite, folder: Path, seeds: list[int]) -> dict[str, list[int]]:
    """Variant → bytes of weights that are kept of each seed."""
    found: dict[str, list[int]] = {}
    for cell in make_plan(suite, folder, seeds=seeds).cells:
        found.setdefault(cell.spec.variant, []).append(cell.most_weights)
    return found


def test_weights_of_a_mebibyte_are_always_kept_and_of_four_for_seed_0_of_a_row_with_a_figure(tmp_path: Path) -> None:
    other = '[[variant]]\nname = "of-no-paper"\nfamily = "pixelcnn"\nsettings = { layers = 2 }\n'
    text = TEXT.replace('name = "digits"', 'name = "mnist-fixed"') + other
    suite = load_suite(write_suite(tmp_path, text.replace('"gated-pixelcnn"\nfamily', '"pixelcnn"\nfamily')))
    assert figures_about("mnist-fixed", "pixelcnn", load_figures())
    one, four = MEBIBYTE, 4 * MEBIBYTE
    assert kept(suite, tmp_path, [0, 1, 2]) == {"uniform": [one] * 3, "pixelcnn": [four, one, one], "of-no-paper": [one] * 3}
    assert kept(load_suite(write_suite(tmp_path)), tmp_path, [0]) == {"uniform": [one], "gated-pixelcnn": [one]}  # on digits


def test_a_suite_or_a_variant_of_it_says_whether_weights_are_kept(tmp_path: Path) -> None:
    for said, most in (("true", EVERYTHING), ("false", 0)):
        text = f"keep_weights = {said}\n{TEXT}"
        assert kept(load_suite(write_suite(tmp_path, text)), tmp_path, [0, 5]) == {"uniform": [most] * 2, "gated-pixelcnn": [most] * 2}
        text += f"keep_weights = {'false' if said == 'true' else 'true'}\n"
        other = 0 if most else EVERYTHING
        assert kept(load_suite(write_suite(tmp_path, text)), tmp_path, [0]) == {"uniform": [most], "gated-pixelcnn": [other]}


def test_a_plan_reads_each_record_once_and_no_other_file_twice(tmp_path: Path, suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that thousands of runs are planned in seconds."""
    store = tmp_path / "runs"
    cells = make_plan(suite, store, seeds=range(20)).cells
    for cell in cells:
        end(store, cell.spec)
        for path in cell.folder.iterdir():
            os.utime(path, (1e9, 1e9))
    reads: dict[str, int] = {"records": 0, "artifacts": 0}

    def counted(what: str, real: Any) -> Any:
        def read(path: Path) -> Any:
            reads[what] += 1
            return real(path)

        return read

    monkeypatch.setattr(record_file, "_read", counted("records", record_file._read))
    monkeypatch.setattr(cache, "read_summary", counted("artifacts", cache.read_summary))
    for artifacts_read in (20 * 2 + 20 * 3, 0):  # nats and picture, of the networks the curve too; then nothing that was seen before
        reads.update(records=0, artifacts=0)
        assert {cell.state for cell in make_plan(suite, store, seeds=range(20)).cells} == {"stored"}
        assert reads == {"records": 40, "artifacts": artifacts_read}
