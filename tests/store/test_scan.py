"""Scanning a store: damage is named and never fatal, and costs nothing but its own run."""

from pathlib import Path

import pytest

from pixelbench.errors import UserError
from pixelbench.store.record_file import read_record, run_folder
from pixelbench.store.scan import require_store, scan
from tests.support.record_factory import add_run, add_seeds, ask, folder_of

pytestmark = pytest.mark.quick


def test_a_run_lies_where_its_spec_says_and_is_found_there(tmp_path: Path) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    found = scan(tmp_path)
    assert list(found) == [record.run_key]
    assert found[record.run_key].folder == tmp_path / "photos" / "pixelcnn" / record.run_key == run_folder(tmp_path, ask("pixelcnn"))
    assert found[record.run_key].record == record


def test_damage_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    sound, *others = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
    damaged = [folder_of(tmp_path, record) / "record.json" for record in others]
    damaged[0].write_bytes(b"")
    damaged[1].write_bytes(damaged[1].read_bytes()[:100])
    damaged[2].write_text("[1, 2]")
    damaged[3].write_bytes(b"\xff\xfe\x00")
    damaged[4].write_text(damaged[4].read_text().replace('"seconds": 36.5', '"seconds": NaN'))
    (tmp_path / "photos" / "pixelcnn" / "under-way" / "work").mkdir(parents=True)
    (tmp_path / "work" / "locks" / "a").mkdir(parents=True)
    (tmp_path / "report.md").write_text("a report")
    found = scan(tmp_path)
    assert list(found) == [sound.run_key]
    assert len(found.problems) == 5
    assert all(str(path) in " ".join(found.problems) for path in damaged)
    assert found.unusable == {path.parent: False for path in damaged}
    assert all(path.exists() for path in damaged)


def test_a_record_of_a_newer_schema_is_told_from_damage(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.0))
    (folder / "record.json").write_text('{"schema": 3}')
    assert scan(tmp_path).unusable == {folder: True}


def test_the_same_run_twice_is_named_and_one_of_them_used(tmp_path: Path) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    add_run(tmp_path, "other-name", 1.0, family="pixelcnn")
    found = scan(tmp_path)
    assert list(found) == [record.run_key]
    assert "same run" in found.problems[0]


@pytest.mark.parametrize("name", ["a", "z"])
def test_of_the_same_run_with_two_numbers_none_is_believed(tmp_path: Path, name: str) -> None:
    """Else whoever names the folders chooses the number."""
    record = add_run(tmp_path, "pixelcnn", 1.0)
    add_run(tmp_path, name, 0.9, family="pixelcnn")
    run = scan(tmp_path).examine()[record.run_key]
    first, last = sorted(["pixelcnn", name])
    assert run.folder == tmp_path / "photos" / first / record.run_key
    said = f"{tmp_path / 'photos' / last / record.run_key} holds the same run with another number, and nobody knows which is right"
    assert run.doubts == (said,)


@pytest.mark.parametrize("status", ["done", "failed"])
def test_the_same_run_with_one_number_is_believed(tmp_path: Path, status: str) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    add_run(tmp_path, "z", 1.0 if status == "done" else None, family="pixelcnn", status=status)
    assert scan(tmp_path).examine()[record.run_key].doubts == ()


def test_a_link_to_itself_costs_its_own_run_alone(tmp_path: Path) -> None:
    sound, spoilt = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    path = folder_of(tmp_path, spoilt) / "record.json"
    path.unlink()
    path.symlink_to("record.json")
    found = scan(tmp_path).examine()
    assert (list(found), found[sound.run_key].doubts) == ([sound.run_key], ())
    (problem,) = found.problems
    assert problem.startswith(f"{path} cannot be read (")


@pytest.mark.parametrize("place", ["", "photos", "photos/pixelcnn"])
def test_a_link_to_itself_among_the_folders_hides_no_run(tmp_path: Path, place: str) -> None:
    record = add_run(tmp_path, "pixelcnn", 1.0)
    loop, nowhere = tmp_path / place / "loop", tmp_path / place / "nowhere"
    loop.symlink_to("loop")
    nowhere.symlink_to("no such folder")  # which is no folder, and is not asked to be one
    found = scan(tmp_path)
    assert list(found) == [record.run_key]
    (problem,) = found.problems
    assert problem.startswith(f"'{loop}' cannot be read (")


def test_a_record_that_is_a_folder_or_cannot_be_read_is_named(tmp_path: Path) -> None:
    sound, spoilt = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    path = folder_of(tmp_path, spoilt) / "record.json"
    path.unlink()
    path.mkdir()
    found = scan(tmp_path)
    assert list(found) == [sound.run_key]
    assert f"{path} cannot be read (Is a directory)" in found.problems[0]


def test_scan_of_nothing_and_of_a_file(tmp_path: Path) -> None:
    assert scan(tmp_path / "none").examine() == {}
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        scan(tmp_path / "file")


def test_require_store_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert require_store(tmp_path / "results") == tmp_path / "results"
    with pytest.raises(UserError, match=r"Did you mean '.*/results'"):
        require_store(tmp_path / "result")


def test_examining_some_runs_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    one, other = add_seeds(tmp_path, "pixelcnn", 1.0, 1.1)
    for record in (one, other):
        (folder_of(tmp_path, record) / "nats.npz").write_bytes(b"no archive")
    found = scan(tmp_path).examine({one.run_key})
    assert found[one.run_key].doubts
    assert not found[other.run_key].doubts
    assert len(found.problems) == 1


def test_examining_changes_no_file_of_a_run(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, add_run(tmp_path, "pixelcnn", 1.0))
    (folder / "curve.csv").write_text("spoilt")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    scan(tmp_path).examine()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    assert read_record(folder).status == "done"
