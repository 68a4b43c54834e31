"""Preparing an image folder: nothing is lost without a word, nothing half-done is ever used."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelbench.data.download.progress import DownloadStep
from pixelbench.data.prepare import arrays as prepare_arrays
from pixelbench.data.prepare.decoded import VARIABLE as CACHE
from pixelbench.data.prepare.decoded import place, read_manifest
from pixelbench.data.sources.folder_task import folder_task
from pixelbench.data.task import data_digest
from pixelbench.errors import UserError
from tests.support.image_files import forget, numbered, pixels, usual, write

PROGRAM = Path(__file__).parent / "prepare_folder.py"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where arrays are kept."""
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    forget()
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return usual(tmp_path / "birds")


def obtain(folder: Path, skip_damaged: bool = False) -> list[DownloadStep]:
    steps: list[DownloadStep] = []
    forget()
    task = folder_task(folder)
    assert task.obtain is not None
    task.obtain(steps.append, skip_damaged=skip_damaged)
    forget()
    return steps


def digest(folder: Path) -> str:
    forget()
    task = folder_task(folder)
    assert task.missing() is None
    assert data_digest(task.load()) == task.digest
    return task.digest


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        obtain(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def temporaries(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir() if path.name.startswith(".")]


def test_progress_is_told_by_split_and_a_second_call_does_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_arrays, "CHUNK_FILES", 4)
    steps = obtain(folder)
    assert [(step.what, step.done, step.total) for step in steps] == [
        ("train", 4, 9),
        ("train", 8, 9),
        ("train", 9, 9),
        ("validation", 1, 1),
        ("test", 3, 3),
    ]
    before = read_manifest(place("folder-birds", folder))
    assert obtain(folder) == []
    assert read_manifest(place("folder-birds", folder)) == before


def test_many_processes_give_what_one_gives(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "train/04.png").write_text("no image")
    monkeypatch.setattr(prepare_arrays, "CHUNK_FILES", 2)
    obtain(folder, skip_damaged=True)
    alone = read_manifest(place("folder-birds", folder))
    shutil.rmtree(cache)
    monkeypatch.setattr(prepare_arrays, "ALONE_BELOW", 0)
    obtain(folder, skip_damaged=True)
    assert read_manifest(place("folder-birds", folder)) == alone
    assert digest(folder)


def test_files_of_no_use_stop_the_preparation_with_counts_and_names(folder: Path, cache: Path) -> None:
    whole = (folder / "train/01.png").read_bytes()
    (folder / "train/01.png").write_bytes(whole[: len(whole) // 2])
    (folder / "train/02.png").write_bytes(whole[:40] + bytes([whole[40] ^ 255]) + whole[41:])
    (folder / "train/03.png").write_bytes(b"")
    write(folder, "train/04.png", size=(5, 3))
    (folder / "train/05.png").unlink()
    (folder / "train/05.png").symlink_to("nowhere")
    (folder / "valid/01.png").unlink()
    (folder / "valid/01.png").mkdir()
    said = refusal(folder)
    assert said.startswith(
        f"Of 13 images in '{folder}', 6 cannot be used (3 damaged, 1 not 4x3 pixels, 2 unreadable): train/01.png (damaged: "
    )
    assert "train/03.png (damaged: not PNG, JPEG, WEBP, BMP), train/04.png (not 4x3 pixels: 5x3), " in said
    assert "train/05.png (unreadable: No such file or directory), valid/01.png (unreadable: not a file); fix" in said
    assert said.endswith(f"or leave them out with `pixelbench fetch folder:{folder} --skip-damaged`.")
    assert [path.suffix for path in cache.iterdir()] == [".lock"]
    assert "are not prepared yet" in str(folder_task(folder).missing())


def test_at_most_ten_are_named(tmp_path: Path) -> None:
    folder = usual(tmp_path / "birds", train=30)
    for name in numbered("train", range(1, 13)):
        (folder / name).write_text("no image")
    said = refusal(folder)
    assert "(12 damaged): train/01.png" in said
    assert "train/10.png (damaged: not PNG, JPEG, WEBP, BMP) and 2 more; fix" in said
    assert "train/11.png" not in said


def test_left_out_files_are_told_and_change_the_digest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare_arrays, "CHUNK_FILES", 4)
    obtain(folder)
    whole = digest(folder)
    for name in ("train/00.png", "train/08.png", "valid/01.png"):
        (folder / name).write_text("no image")
    write(folder, "train/03.png", size=(5, 3))
    obtain(folder, skip_damaged=True)
    assert digest(folder) != whole
    task = folder_task(folder)
    assert task.preprocessing.endswith("Files: 10 in train/, 3 in valid/. Files left out: 3 damaged, 1 not 4x3 pixels.")
    assert task.sizes == (6, 1, 2)
    data = task.load()
    kept = numbered("train", (1, 2, 4, 6, 7, 9))
    np.testing.assert_array_equal(data.train.images, np.stack([pixels(name) for name in kept]))
    np.testing.assert_array_equal(data.test.images, np.stack([pixels(name) for name in numbered("valid", (0, 2))]))
    manifest = read_manifest(place("folder-birds", folder))
    assert manifest is not None
    assert manifest.bytes == {split: 128 + count * 36 for split, count in (("train", 6), ("validation", 1), ("test", 2))}
    assert manifest.left_out_names[1] == "train/03.png (not 4x3 pixels: 5x3)"
    assert obtain(folder) == []  # what was left out once is no reason to stop while the folder stays as it is


def test_a_split_of_which_nothing_is_left_is_refused(folder: Path) -> None:
    (folder / "train/05.png").write_text("no image")  # the only validation image
    with pytest.raises(UserError, match=r"Of the validation images in '.*' not one can be used; the first: train/05\.png \(damaged"):
        obtain(folder, skip_damaged=True)


def test_grey_files_of_a_colour_task_are_converted_and_counted(folder: Path) -> None:
    write(folder, "train/02.png", "valid/00.png", mode="L")
    write(folder, "train/03.png", mode="1")
    obtain(folder)
    task = folder_task(folder)
    assert task.preprocessing.endswith("Grey files made RGB: 3.")
    grey = pixels("valid/00.png", "L")
    np.testing.assert_array_equal(task.load().test.images[0], np.concatenate([grey, grey, grey]))
    assert set(np.unique(task.load().train.images[3])) == {0, 255}


def test_a_colour_file_of_a_grey_task_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    write(folder, *numbered("train", range(4)), *numbered("valid", range(2)), mode="L")
    write(folder, "valid/01.png")
    assert "1 cannot be used (1 in colour among grey images): valid/01.png (in colour among grey images); fix" in refusal(folder)


def test_a_decompression_bomb_is_refused_by_its_header_and_warns_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = usual(tmp_path / "birds")
    write(folder, "train/01.png", size=(15, 10))
    write(folder, "train/02.png", size=(30, 10))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    said = refusal(folder)
    assert "train/01.png (not 4x3 pixels: 15x10), train/02.png (too large to be opened); fix" in said


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    (folder / "train/01.png").unlink()
    os.mkfifo(folder / "train/01.png")
    assert "train/01.png (unreadable: not a file); fix" in refusal(folder)


def test_arrays_of_another_size_than_written_down_are_not_used(folder: Path) -> None:
    obtain(folder)
    whole = digest(folder)
    path = place("folder-birds", folder) / "test.npy"
    for damage in (lambda: os.truncate(path, 150), lambda: path.unlink(), lambda: (path.parent / "manifest.json").write_text("{}")):
        damage()
        forget()
        assert "are not prepared yet" in str(folder_task(folder).missing())
        obtain(folder)
        assert digest(folder) == whole


def test_a_mapped_array_is_writable_and_its_file_stays(folder: Path) -> None:
    obtain(folder)
    whole = digest(folder)
    folder_task(folder).load().train.images[:] = 7
    assert digest(folder) == whole


def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    obtain(folder)
    before = digest(folder)
    os.utime(folder / "train/00.png", ns=(0, 0))

    def full(chunk: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(prepare_arrays, "decode_chunk", full)
        said = refusal(folder)
    assert said.startswith(f"The images of '{folder}' cannot be prepared in '{cache}' (No space left on device); free some space")
    assert said.endswith(f"or choose another folder with {CACHE}=DIR.")
    manifest = read_manifest(place("folder-birds", folder))
    assert manifest is not None
    assert manifest.digest == before
    assert temporaries(cache) == []


def test_a_folder_that_changes_meanwhile_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = folder_task(folder)
    assert task.obtain is not None
    with pytest.raises(UserError, match="were changed while they were decoded; say `pixelbench fetch folder:"):
        task.obtain(lambda step: os.utime(folder / "train/00.png", ns=(0, 0)))


def test_a_killed_preparation_leaves_nothing_that_is_used_and_the_next_removes_the_rest(folder: Path, cache: Path) -> None:
    with start(folder, "alone") as killed:
        assert said(killed) == "train 4"
        killed.kill()
    (rest,) = temporaries(cache)
    assert (cache / rest / "train.npy").exists()
    assert "are not prepared yet" in str(folder_task(folder).missing())
    obtain(folder)
    assert temporaries(cache) == []
    assert digest(folder)


def test_no_worker_outlives_its_parent(folder: Path) -> None:
    with start(folder, "pool") as killed:
        _, _, *workers = said(killed).split()
        assert workers
        killed.kill()
    for _ in range(600):
        if not any(running(int(worker)) for worker in workers):
            return
        time.sleep(0.1)
    pytest.fail("a worker still runs a minute after its parent's death")


def test_of_two_processes_one_prepares_and_the_other_waits(folder: Path) -> None:
    with start(folder, "alone") as first:
        assert said(first) == "train 4"
        with start(folder, "alone") as second:
            assert said(second) == "waiting for another process that prepares these images 0"
            go_on(second)
            for _ in range(5):
                go_on(first)
            assert [said(first) for _ in range(5)][-1] == "done"
            assert said(second) == "done"
    assert digest(folder)


def test_a_program_that_a_worker_imports_is_refused_before_it_waits_for_itself(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    assert refusal(folder).endswith("put what it does under `if __name__ == '__main__':`.")


def start(folder: Path, how: str) -> "subprocess.Popen[str]":
    program = [sys.executable, str(PROGRAM), str(folder), how]
    return subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def running(process: int) -> bool:
    """Whether it runs; one that nobody has waited for is dead all the same."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
