"""Devices, provenance, and records of failures: nothing of this machine's paths or names in them."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pixelbench.errors import UserError
from pixelbench.experiments import devices, provenance
from pixelbench.experiments.code_digest import code_digest
from pixelbench.experiments.devices import available_cores, resolve_device
from pixelbench.experiments.provenance import stretch_of
from pixelbench.experiments.run.failure import died, without_paths
from pixelbench.models.families import FAMILIES
from pixelbench.store.record import Stretch


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_nvidia_files", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_devices_without_a_gpu() -> None:
    assert resolve_device("auto") == resolve_device("cpu") == "cpu"
    with pytest.raises(UserError, match=r"There is no CUDA device for 'cuda:1' .* use --device cpu"):
        resolve_device("cuda:1")
    with pytest.raises(UserError, match=r"Unknown device 'cudo'\. Did you mean 'cuda'\?"):
        resolve_device("cudo")


def test_devices_with_two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "count_cuda_devices", lambda: 2)
    assert [resolve_device(requested) for requested in ("auto", "cuda", "cuda:1", "cpu")] == ["cuda", "cuda", "cuda:1", "cpu"]
    with pytest.raises(UserError, match=r"There is no device 'cuda:2' here; the last one is 'cuda:1'\."):
        resolve_device("cuda:2")


def test_cpu_needs_no_torch() -> None:
    program = "import sys; from pixelbench.experiments import devices; devices.has_nvidia_files = lambda: False\n"
    program += "devices.resolve_device('auto'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"


def test_cores_are_those_we_may_use() -> None:
    assert 1 <= available_cores() <= len(os.sched_getaffinity(0))


def test_provenance_names_no_place() -> None:
    found = provenance.collect_provenance(FAMILIES["uniform"], device="cpu", precision="fp32", threads=1)
    assert found.versions["python"] == platform.python_version()
    assert {"torch", "numpy", "pixelbench"} <= set(found.versions)
    assert found.deterministic is True
    assert found.source_digest == code_digest("uniform")
    text = str(found)
    assert platform.node() not in text
    assert "/" not in text.replace(found.versions["torch"], "")


def test_a_gpu_is_deterministic_where_torch_is_told_so_and_processes_are_counted() -> None:
    def found(**more: int) -> provenance.Provenance:
        return provenance.collect_provenance(FAMILIES["uniform"], device="cuda:1", precision="bf16", threads=1, **more)

    before = torch.are_deterministic_algorithms_enabled()
    try:
        for told in (True, False):
            torch.use_deterministic_algorithms(told)
            assert (found().deterministic, found(world_size=8).world_size, found().world_size) == (told, 8, None)
    finally:
        torch.use_deterministic_algorithms(before)


@pytest.mark.parametrize("told", [{"device": 7}, {"threads": -1}, {"git_dirty": "yes"}, {"device": None, "compiled": []}])
def test_of_what_a_checkpoint_tells_wrongly_only_the_update_is_kept(told: dict[str, object]) -> None:
    assert stretch_of({"until": 3} | told) == Stretch(3)


def test_what_a_checkpoint_tells_is_kept_and_what_nobody_knows_is_not() -> None:
    assert stretch_of({"until": 3, "device": "cpu", "threads": 2, "host": "secret"}) == Stretch(3, "cpu", 2)


def test_git_state_outside_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_CHECKOUT", tmp_path)
    provenance.git_state.cache_clear()
    assert provenance.git_state() == (None, None)
    provenance.git_state.cache_clear()


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        ('File "/home/me/venv/lib/python3.11/site-packages/torch/nn/a.py", line 3', 'File "torch/nn/a.py", line 3'),
        ('File "/work/main/pixelbench/models/base.py", line 3', 'File "pixelbench/models/base.py", line 3'),
        ("cannot open /data/secret/x.bin: no", "cannot open x.bin: no"),
        ("fp32/bf16 and 3/4 of https://a.org/b", "fp32/bf16 and 3/4 of https://a.org/b"),
    ],
)
def test_paths_are_taken_out(line: str, clean: str) -> None:
    assert without_paths(line) == clean


def test_the_last_lines_are_kept() -> None:
    error = died(-11, [f"line {n}\n\n" for n in range(50)])
    assert (error.type, error.message) == ("WorkerDied", "The worker was ended by SIGSEGV")
    assert error.log == tuple(f"line {n}" for n in range(30, 50))
