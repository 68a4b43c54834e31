"""`--launcher slurm` from the command line, with Slurm's commands faked: what is submitted, and one sentence for what cannot be."""

import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pixelbench.cli.cluster.launching import PATIENCE
from pixelbench.cli.main import main
from pixelbench.errors import UserError
from pixelbench.experiments.cluster import slurm
from pixelbench.experiments.cluster.array import make_array, seconds_of
from pixelbench.experiments.cluster.live import Watch, outcome_of
from pixelbench.experiments.cluster.submission import submissions
from pixelbench.experiments.plan import make_plan
from pixelbench.suites.load import load_suite
from tests.cluster.fake_slurm import FakeSlurm
from tests.support.ended_run import end
from tests.support.suite_file import TEXT, tiny_plan, write_suite

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`pixelbench WORDS --results runs` in a folder with the tiny suite; returns exit code, standard output and error."""
    suite = write_suite(tmp_path)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, name: str = "run") -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([name, "--suite", suite, "--results", "runs", *words])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


SLURM = ("--launcher", "slurm")


def test_what_is_submitted_is_the_sharded_command_requeued_and_warned(fake: FakeSlurm, command: Command, tmp_path: Path) -> None:
    options = ("--only", "uniform", "--seeds", "0-4", "--time", "12:00:00", "--array-parallelism", "2", "--slurm", "account=mine")
    code, _, err = command(*SLURM, *options, "--partition", "debug", "--detach")
    assert code == 0, err
    (words,) = fake.asked("sbatch")
    script = Path(words[-1])
    assert {"--array=1-5%2", "--requeue", "--signal=B:USR1@120", "--partition=debug", "--time=12:00:00", "--account=mine"} <= set(words)
    assert not any(word.startswith("--gres") for word in words)
    text = script.read_text()
    assert script.is_relative_to(tmp_path / "runs" / "work" / "slurm")
    assert '--no-fetch --shard "$SLURM_ARRAY_TASK_ID/5"' in text
    paths = (f"--suite={tmp_path / 'tiny.toml'}", f"--results={tmp_path / 'runs'}")
    for part in (*paths, "--workers=1", f"--patience={PATIENCE}", "--device=cpu"):
        assert part in text
    assert subprocess.run(["bash", "-n", script]).returncode == 0
    (made,) = submissions(tmp_path / "runs")
    assert (made.job, made.cancel) == ("41", "scancel 41")
    assert sorted(run["task"] for run in made.runs.values()) == [1, 2, 3, 4, 5]
    assert "scancel 41" in err


def test_gpus_are_asked_for_and_the_plan_is_for_them(fake: FakeSlurm, command: Command) -> None:
    """Also where this machine has none: it only submits."""
    code, out, err = command(*SLURM, "--seeds", "0", "--partition", "gpu", "--gpus-per-run", "1", "--detach", "--json")
    assert code == 0, err
    (words,) = fake.asked("sbatch")
    assert "--gres=gpu:1" in words
    script = Path(words[-1]).read_text()
    assert "--device=cuda" in script
    assert "--gpus-per-run" not in script
    assert json.loads(out)["device"] == "cuda"


def test_several_gpus_are_for_the_command_to_use(fake: FakeSlurm, command: Command) -> None:
    assert command(*SLURM, "--seeds", "0", "--partition", "gpu", "--gpus-per-run", "4", "--detach")[0] == 0
    (words,) = fake.asked("sbatch")
    assert "--gres=gpu:4" in words
    script = Path(words[-1]).read_text()
    assert "--gpus-per-run=4" in script
    assert "--workers" not in script


def test_only_tasks_with_something_to_do_are_submitted(fake: FakeSlurm, command: Command, tmp_path: Path) -> None:
    for cell in tiny_plan(tmp_path, [1, 3]).cells:
        end(tmp_path / "runs", cell.spec)
    assert command(*SLURM, "--only", "uniform", "--seeds", "0-4", "--runs-per-task", "1", "--detach")[0] == 0
    assert "--array=1,3,5" in fake.asked("sbatch")[0]


def test_where_nothing_is_left_nothing_is_submitted(fake: FakeSlurm, command: Command, tmp_path: Path) -> None:
    for cell in tiny_plan(tmp_path, [1]).cells:
        end(tmp_path / "runs", cell.spec)
    code, _, err = command(*SLURM, "--only", "uniform", "--seeds", "1")
    assert (code, fake.asked("sbatch")) == (0, [])
    assert "Nothing left to do" in err


BAD: list[tuple[tuple[str, ...], str]] = [
    (("--partition", "debug"), "--partition is for --launcher slurm; without it runs are executed on this machine."),
    (("--slurm", "account=a"), "--slurm is for --launcher slurm; without it runs are executed on this machine."),
    (("--detach",), "--detach is for --launcher slurm; without it runs are executed on this machine."),
    (("--gpus-per-run", "1"), "--gpus-per-run 1 needs 1 CUDA device, and there is none that torch can use here."),
    (
        (*SLURM, "--gpus-per-run", "4", "--workers", "2", "--partition", "gpu"),
        "--workers executes several runs at once, and 4 GPUs share each run here; leave it out.",
    ),
    ((*SLURM, "--partition", "gpus"), "Slurm has no partition 'gpus'. Did you mean 'gpu'? Known: debug, gpu."),
    (
        (*SLURM, "--gpus-per-run", "1"),
        "No node of the default partition has GPUs that Slurm knows of; leave out --gpus-per-run, or choose another --partition.",
    ),
    ((*SLURM, "--shard", "1/2"), "--shard is what --launcher slurm gives to each of its tasks; leave it out."),
    ((*SLURM, "--rerun", "all"), "--rerun all would execute a run again whenever its job is requeued; use it without --launcher slurm."),
    ((*SLURM, "--device", "cuda"), "--device cuda is not what these jobs have; add --gpus-per-run 1, or leave out --device."),
    ((*SLURM, "--time", "soon"), "A time limit is such as 12:00:00, 2-00:00:00 or a number of minutes; got 'soon'."),
    ((*SLURM, "--time", "3"), "A job needs at least 5 minutes, of which a part is for its last checkpoint; got '3'."),
    ((*SLURM, "--slurm", "array=1-3"), "--slurm array is what --launcher slurm sets itself; use --array-parallelism."),
    ((*SLURM, "--slurm", "account=a\nb"), "--slurm takes an option of sbatch such as account=mine; got 'account=a b'."),
    (
        (*SLURM, "--runs-per-task", "1", "--seeds", "0-600"),
        "Slurm takes 1000 tasks here, so that 1202 runs need --runs-per-task 2 or more.",
    ),
]


@pytest.mark.parametrize(("words", "said"), BAD, ids=[" ".join(words)[:40] for words, _ in BAD])
def test_bad_input_is_one_sentence(fake: FakeSlurm, command: Command, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    code, out, err = command(*words)
    assert (code, out, err) == (2, "", f"{said}\n")
    assert fake.asked("sbatch") == []
    assert not list(tmp_path.glob("runs/work/slurm/*"))


def test_no_slurm_is_one_sentence(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = command(*SLURM)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("Slurm is not here: no `sbatch` is on the path")
    assert not (tmp_path / "runs").exists()


def test_what_sbatch_says_is_handed_on_and_nothing_stays(fake: FakeSlurm, command: Command, tmp_path: Path) -> None:
    fake.answers("sbatch", "", "sbatch: error: Batch job submission failed: Invalid account specified", 1)
    code, _, err = command(*SLURM, "--seeds", "0")
    assert code == 2
    assert err == "Slurm refuses `sbatch`: Batch job submission failed: Invalid account specified.\n"
    assert not list(tmp_path.glob("runs/work/slurm/*"))


@pytest.mark.parametrize("shared", [True, False])
def test_a_store_of_one_node_is_refused_where_there_are_more(
    fake: FakeSlurm, command: Command, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    fake.answers("sinfo", "node1|debug*|(null)\nnode2|debug*|(null)")
    monkeypatch.setattr("pixelbench.files.mounts.not_shared", lambda folder: None if shared else "it is in this node's memory (tmpfs)")
    code, _, err = command(*SLURM, "--seeds", "0", "--detach")
    assert code == (0 if shared else 2)
    sentence = "Results folder 'runs' is not there for the nodes of the default partition: it is in this node's memory (tmpfs); choose"
    assert (sentence in err) != shared


def test_a_store_whose_locks_stay_on_the_node_is_refused(fake: FakeSlurm, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answers("sinfo", "node1|debug*|(null)\nnode2|debug*|(null)")
    monkeypatch.setattr("pixelbench.files.mounts.not_shared", lambda folder: None)
    monkeypatch.setattr(
        "pixelbench.files.mounts.locks_stay", lambda folder: "its nfs is mounted with nolock, which keeps locks to the node"
    )
    code, _, err = command(*SLURM, "--seeds", "0")
    assert code == 2
    assert err.startswith("Two nodes could execute one run in results folder 'runs': its nfs is mounted with nolock")


def test_names_that_are_code_stay_names(fake: FakeSlurm, command: Command, tmp_path: Path) -> None:
    """A suite's name must not leave the script's comment, nor a folder's name its quotes. (A name with a line break is no suite's.)"""
    hostile = TEXT.replace('name = "tiny"', 'name = "tiny touch broken; $(touch broken)"')
    folder = tmp_path / "a $(touch broken) 'b"
    folder.mkdir()
    with pytest.raises(SystemExit) as ended:
        main(["run", "--suite", write_suite(tmp_path, hostile), "--seeds", "0", "--results", str(folder), *SLURM, "--detach"])
    assert ended.value.code == 0
    (words,) = fake.asked("sbatch")
    script = Path(words[-1])
    lines = script.read_text().splitlines()
    assert not any(line.startswith("touch") for line in lines)
    assert any(word.startswith("--job-name=pixelbench-tiny-touch-broken") for word in words)
    script.rename(tmp_path / "elsewhere.sh")  # so that the node does not have the folder
    done = subprocess.run(["bash", tmp_path / "elsewhere.sh"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert f"does not have the results folder '{folder}'" in done.stderr
    assert not (tmp_path / "broken").exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 5400), ("5:00", 300), ("12:00:00", 43200), ("2-00", 172800), ("1-02:30", 95400), ("0-01:00:00", 3600)],
)
def test_time_limits_are_slurms(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "1:2:3:4", "-1", "1.5", "1-", "9" * 30, "four"])
def test_other_time_limits_are_refused(text: str) -> None:
    with pytest.raises(UserError):
        seconds_of(text)


def test_small_runs_of_known_time_share_a_task_and_others_do_not(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    (known,) = tiny_plan(tmp_path, [100]).cells
    end(store, known.spec, seconds=400.0)
    plan = tiny_plan(tmp_path, list(range(10)))
    array = make_array(plan)
    assert {len(cells) for cells in array.tasks.values()} <= {3, 4}
    assert all(length is not None and length <= 1800 for length in array.lengths)
    assert [cell for cells in array.tasks.values() for cell in cells if not cell.runs] == []
    unknown = make_plan(load_suite(write_suite(tmp_path)), store, seeds=[0, 1], only=["gated-pixelcnn"])
    assert make_array(unknown).indices == "1-2"
    assert make_array(unknown).lengths == [None, None]


def test_the_tasks_of_an_array_are_the_plans_runs_each_once(tmp_path: Path) -> None:
    plan = tiny_plan(tmp_path, list(range(7)))
    for size in range(1, 9):
        array = make_array(plan, runs_per_task=size)
        assert sorted(cell.spec.key for cells in array.tasks.values() for cell in cells) == sorted(cell.spec.key for cell in plan.cells)
        for index, cells in array.tasks.items():
            assert tiny_plan(tmp_path, list(range(7)), shard=(index, array.shards)).cells == cells


def test_the_plan_says_how_many_jobs_of_which_length(command: Command, tmp_path: Path) -> None:
    """Without a Slurm: it is asked of nobody."""
    (known,) = tiny_plan(tmp_path, [100]).cells
    end(tmp_path / "runs", known.spec, seconds=1000.0)
    words = ("--only", "uniform", "--seeds", "0-3", *SLURM)
    assert "4 jobs of 1 run; the longest takes about 17 minutes, all 67 minutes." in command(*words, name="plan")[2]
    assert "2 jobs of 2 runs; the longest takes about 33 minutes" in command(*words, "--runs-per-task", "2", name="plan")[2]
    assert "requeued about 3 times at --time 5:00" in command(*words, "--time", "5:00", name="plan")[2]
    document = json.loads(command(*words, "--json", name="plan")[1])
    assert document["jobs"] == {"tasks": "1-4", "shards": 4, "estimated_seconds": [1000.0] * 4}


class Queue:
    """What `squeue` says of array 41."""

    def __init__(self, fake: FakeSlurm) -> None:
        self._fake = fake

    def says(self, *lines: str) -> None:
        self._fake.answers("squeue", "\n".join(lines))


@pytest.fixture
def submitted(fake: FakeSlurm, command: Command, tmp_path: Path) -> tuple[Queue, Any]:
    """An array of three runs, and its plan as it was submitted."""
    plan = tiny_plan(tmp_path, [0, 1, 2])
    assert command(*SLURM, "--only", "uniform", "--seeds", "0-2", "--detach")[0] == 0
    return Queue(fake), plan


def test_a_look_tells_queue_and_store_together(submitted: tuple[Queue, Any], tmp_path: Path) -> None:
    queue, plan = submitted
    queue.says("1|RUNNING|None|node1", "2|PENDING|Resources|", "3|CANCELLED|None|")
    watch = Watch(tmp_path / "runs")
    by_label = {run.label: (run.state, run.where) for run in watch.look()}
    assert list(by_label.values()) == [("starting", "node1"), ("queued", "Resources"), ("not begun", "job ended: CANCELLED")]
    assert not watch.over
    log = plan.cells[0].folder / "work" / "events.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text('{"event": "progress", "update": 3, "updates": 10}\n{"event": "pro')
    end(tmp_path / "runs", plan.cells[1].spec)
    runs = watch.look()
    assert [run.state for run in runs] == ["running", "done", "not begun"]
    assert runs[0].progress == {"event": "progress", "update": 3, "updates": 10}
    queue.says("1|COMPLETED|None|node1")
    watch.look()
    assert watch.over


def test_a_controller_that_is_away_ends_nothing(submitted: tuple[Queue, Any], fake: FakeSlurm, tmp_path: Path) -> None:
    queue, _ = submitted
    queue.says("1|RUNNING|None|node1", "2|RUNNING|None|node1", "3|RUNNING|None|node1")
    watch = Watch(tmp_path / "runs")
    before = watch.look()
    fake.answers("squeue", "", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)", 1)
    assert watch.look() == before
    assert "Unable to contact slurm controller" in watch.silent
    assert not watch.over
    fake.answers("squeue", "", "slurm_load_jobs error: Invalid job id specified", 1)  # all ended, some time ago
    watch.look()
    assert (watch.silent, watch.over) == ("", True)


def test_how_a_plan_ended_is_read_from_the_store(submitted: tuple[Queue, Any], tmp_path: Path) -> None:
    _, plan = submitted
    end(tmp_path / "runs", plan.cells[0].spec)
    end(tmp_path / "runs", plan.cells[1].spec, "failed")
    outcome = outcome_of(plan)
    assert [len(part) for part in (outcome.done, outcome.failed, outcome.remaining)] == [1, 1, 1]


def test_a_whole_array_is_shown_until_its_end_and_reported(
    fake: FakeSlurm, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tiny_plan(tmp_path, [0, 1])
    fake.answers("squeue", "1|RUNNING|None|node1\n2|PENDING|Resources|")

    def work(seconds: float) -> None:
        for cell in plan.cells:
            end(tmp_path / "runs", cell.spec)
        fake.answers("squeue", "1|COMPLETED|None|node1\n2|COMPLETED|None|node1")

    monkeypatch.setattr("pixelbench.cli.cluster.watching.sleep", work)
    code, out, err = command(*SLURM, "--only", "uniform", "--seeds", "0-1")
    assert code == 0, err
    assert "digits/uniform seed 0: starting on node1\n" in err
    assert "digits/uniform seed 1: queued (Resources)\n" in err
    assert "digits/uniform seed 1: done\n" in err
    assert "uniform" in out
    assert (tmp_path / "runs" / "report.html").exists()


def test_ctrl_c_says_how_to_cancel(fake: FakeSlurm, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answers("squeue", "1|RUNNING|None|node1")

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pixelbench.cli.cluster.watching.sleep", interrupt)
    code, _, err = command(*SLURM, "--only", "uniform", "--seeds", "0")
    assert code == 130
    assert err.endswith("The array goes on without this command; end it with `scancel 41`.\n")


def test_the_marker_keeps_it_out_of_the_default_tests() -> None:
    settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert "not slurm" in settings["tool"]["pytest"]["ini_options"]["addopts"]


def test_what_slurm_says_is_one_sentence(fake: FakeSlurm) -> None:
    fake.answers("sinfo", "", "sinfo: error: one\nsinfo: fatal: two.\n", 1)
    with pytest.raises(UserError, match=r"^Slurm refuses `sinfo`: one; two\.$"):
        slurm.nodes(None)
