"""The file system that a folder is on: whether other nodes of a cluster have it too, and whether a lock on it holds there.

Mount options decide, since no probe on one node can tell what another node sees. Linux carries `flock` over NFS to the server, as a lock on
the file's bytes, unless the mount keeps locks to itself (nfs(5): `nolock`, `local_lock`).
"""

import re
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
#: Of one node alone, unless it exports the folder itself.
_LOCAL = {
    *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "bcachefs", "fuseblk", "ntfs3", "vfat", "exfat"),
    *("tmpfs", "ramfs", "devtmpfs", "overlay", "aufs", "squashfs"),
}
#: Gone when the node is, and exported by nobody.
_IN_MEMORY = {"tmpfs", "ramfs", "devtmpfs"}
#: File system → what in its mount options keeps locks to the node.
_NODE_LOCKS = {
    "nfs": ("nolock", "local_lock=all", "local_lock=flock"),
    "nfs4": ("nolock", "local_lock=all", "local_lock=flock"),
    "lustre": ("localflock", "noflock"),
    "gfs2": ("localflocks",),
    "ocfs2": ("localflocks",),
    "cifs": ("nobrl", "nolock"),
    "smb3": ("nobrl", "nolock"),
}
#: In user space; locks on them never leave the node.
_UNLOCKABLE = {"fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.goofys", "fuse.bindfs"}
#: What every node has a folder of its own for.
_PER_NODE = tuple(map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/run")))
_EXPORTS = (Path("/var/lib/nfs/etab"), Path("/etc/exports"))
_BEEGFS_SWITCH = re.compile(r"^\s*tuneUseGlobalFileLocks\s*=\s*(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Mount:
    """A line of /proc/mounts."""

    point: Path
    kind: str
    """Its file system: `ext4`, `nfs4`."""
    options: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Path, mounts: Path = _MOUNTS) -> "Mount | None":
        """The file system that `path` lies on, or will; None where the system does not tell."""
        try:
            lines = mounts.read_text().splitlines()
        except OSError:
            return None
        real, found = path.resolve(), None
        for point, kind, options in (line.split()[1:4] for line in lines):
            mount = cls(Path(_unescaped(point)), kind, tuple(map(_unescaped, options.split(","))))
            if real.is_relative_to(mount.point) and (found is None or mount.point.is_relative_to(found.point)):
                found = mount  # of several on one point the last is on top
        return found


def not_shared(folder: Path, mounts: Path = _MOUNTS, exports: tuple[Path, ...] = _EXPORTS) -> str | None:
    """Why other nodes do not have `folder`, as the end of a sentence; None where nothing says so.

    A disk of this node that it exports counts as shared: on small clusters the login node is the file server.
    """
    real, mount = folder.resolve(), Mount.of(folder, mounts)
    if mount is not None and mount.kind in _IN_MEMORY:
        return f"it is in this node's memory ({mount.kind})"
    if mount is None or mount.kind not in _LOCAL or any(real.is_relative_to(point) for point in _exported(exports)):
        return None
    own = next((point for point in _PER_NODE if real.is_relative_to(point)), None)
    return f"every node has a '{own}' of its own" if own else f"it is on a disk of this node ({mount.kind}) that it does not export"


def locks_stay(folder: Path, mounts: Path = _MOUNTS) -> str | None:
    """Why other nodes do not heed a lock in `folder`, as the end of a sentence; None where nothing says so."""
    mount = Mount.of(folder, mounts)
    if mount is None:
        return None
    if mount.kind in _UNLOCKABLE:
        return f"{mount.kind} keeps locks to the node"
    if kept := [option for option in _NODE_LOCKS.get(mount.kind, ()) if option in mount.options]:
        return f"its {mount.kind} is mounted with {kept[0]}, which keeps locks to the node"
    if mount.kind == "beegfs" and not _beegfs_locks(mount):
        return "its beegfs keeps locks to the node (tuneUseGlobalFileLocks is not true)"
    return None


def _beegfs_locks(mount: Mount) -> bool:
    """Whether its client asks the servers for locks, which it does not by default."""
    file = next((option.partition("=")[2] for option in mount.options if option.startswith("cfgFile=")), "/etc/beegfs/beegfs-client.conf")
    try:
        found = _BEEGFS_SWITCH.search(Path(file).read_text())
    except OSError:
        return True  # the configuration is elsewhere, so that nothing is known against it
    return found is not None and found[1].lower() in ("true", "1", "yes")


def _exported(files: tuple[Path, ...]) -> list[Path]:
    """The folders that this node exports by NFS."""
    found = []
    for file in files:
        try:
            lines = file.read_text().splitlines()
        except OSError:
            continue
        found += [Path(_unescaped(line.split()[0])) for line in lines if line.strip().startswith("/")]
    return found


def _unescaped(text: str) -> str:
    """Spaces and the like as the kernel and exportfs write them: octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
