"""Which folders other nodes have, and where locks hold: said of mount tables as Linux writes them, and a real probe by two processes."""

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from pixelbench.errors import UserError
from pixelbench.files import locks
from pixelbench.files.locks import RunLock, probe_locks
from pixelbench.files.mounts import Mount, locks_stay, not_shared

NFS4 = "rw,relatime,vers=4.2,hard,proto=tcp,local_lock=none,addr=10.0.0.1"
NFS3 = "rw,relatime,vers=3,hard,proto=tcp,mountproto=udp,local_lock=none,addr=10.0.0.1"


def mounts(folder: Path, kind: str, options: str = "rw") -> Path:
    """A mount table with `folder` on a file system of its own."""
    table = folder.parent / "mounts"
    point = str(folder.resolve()).replace(" ", "\\040")
    table.write_text(f"/dev/vda / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\nserver:/home {point} {kind} {options} 0 0\n")
    return table


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a space in its name, below none that every node has for itself."""
    monkeypatch.setattr("pixelbench.files.mounts._PER_NODE", (Path("/nowhere"),))
    (tmp_path / "my home").mkdir()
    return tmp_path / "my home"


def test_the_innermost_mount_counts_and_the_last_of_several(home: Path) -> None:
    table = mounts(home, "nfs4", NFS4)
    assert Mount.of(home / "store", table) == Mount(home.resolve(), "nfs4", tuple(NFS4.split(",")))
    assert Mount.of(home.parent, table) == Mount(Path("/"), "ext4", ("rw", "relatime"))
    table.write_text(table.read_text() + f"tmpfs {str(home.resolve()).replace(' ', chr(92) + '040')} tmpfs rw 0 0\n")
    found = Mount.of(home, table)
    assert found is not None
    assert found.kind == "tmpfs"


@pytest.mark.parametrize(
    ("kind", "options", "stay"),
    [
        ("nfs4", NFS4, ""),
        ("nfs", NFS3, ""),
        ("nfs", NFS3.replace("local_lock=none", "local_lock=posix"), ""),  # flock goes to the server
        ("nfs", NFS3.replace("local_lock=none", "nolock,local_lock=all"), "nolock"),
        ("nfs", NFS3.replace("local_lock=none", "local_lock=flock"), "local_lock=flock"),
        ("nfs4", NFS4.replace("local_lock=none", "local_lock=all"), "local_lock=all"),
        ("lustre", "rw,flock,lazystatfs", ""),
        ("lustre", "rw,localflock", "localflock"),
        ("lustre", "rw,noflock", "noflock"),
        ("gpfs", "rw,relatime", ""),
        ("ceph", "rw,relatime", ""),
        ("gfs2", "rw,localflocks", "localflocks"),
        ("cifs", "rw,nobrl", "nobrl"),
        ("fuse.sshfs", "rw,nosuid", "fuse.sshfs"),
    ],
)
def test_mount_options_say_whether_other_nodes_heed_a_lock(home: Path, kind: str, options: str, stay: str) -> None:
    said = locks_stay(home / "store", mounts(home, kind, options))
    assert (said is None) == (stay == "")
    assert stay in (said or "")
    assert not_shared(home, mounts(home, kind, options), exports=()) is None


@pytest.mark.parametrize(("switch", "holds"), [("true", True), ("false", False), (None, False)])
def test_beegfs_asks_its_servers_only_where_it_is_told_to(home: Path, switch: str | None, holds: bool) -> None:
    client = home / "client.conf"
    client.write_text("sysMgmtdHost = a\n" + (f"tuneUseGlobalFileLocks = {switch}\n" if switch else ""))
    assert (locks_stay(home, mounts(home, "beegfs", "rw,cfgFile=" + str(client).replace(" ", "\\040"))) is None) == holds


@pytest.mark.parametrize("kind", ["ext4", "xfs", "zfs", "overlay", "tmpfs"])
def test_a_disk_of_one_node_is_not_shared_unless_it_is_exported(home: Path, kind: str) -> None:
    table, exports = mounts(home, kind), home.parent / "exports"
    assert not_shared(home / "store", table, (exports,)) is not None
    exports.write_text(f"# all of it\n{str(home).replace(' ', chr(92) + '040')} *(rw)\n")
    assert (not_shared(home / "store", table, (exports,)) is None) == (kind != "tmpfs")
    exports.write_text(f"{home.parent}/other *(rw)\n")
    assert not_shared(home / "store", table, (exports,)) is not None


def test_every_node_has_a_tmp_of_its_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelbench.files.mounts._PER_NODE", (home,))
    said = not_shared(home / "store", mounts(home, "ext4"), ())
    assert said == f"every node has a '{home}' of its own"


def test_two_processes_never_hold_one_lock(tmp_path: Path) -> None:
    probe_locks(tmp_path)
    assert list((tmp_path / "work" / "locks").iterdir()) == []


def test_a_file_system_that_gives_a_lock_twice_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *arguments: None)  # as where locks are only pretended; the other process gets it
    with pytest.raises(UserError, match="gives one lock to two processes"):
        probe_locks(tmp_path)


def test_a_lock_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "work" / "locks" / "key.lock"
    path.parent.mkdir(parents=True)
    path.touch()
    hold = f"import fcntl, time; f = open({str(path)!r}, 'r+'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as holder, RunLock(tmp_path, "key") as lock:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert not lock.acquire()
        holder.kill()
        holder.wait()
        assert lock.acquire()


def test_the_second_process_says_what_it_found(tmp_path: Path) -> None:
    """The probe's own program: 0 with the lock, 1 without."""
    path = tmp_path / "lock"
    path.touch()
    command = [sys.executable, "-I", "-S", "-c", locks._SECOND, str(path)]
    assert subprocess.run(command).returncode == 0
    with path.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert subprocess.run(command).returncode == 1
