"""Takes files out of compressed archives: each is at its place whole and verified, or not at all."""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from pixelbench.data.whole import alone, said, writing
from pixelbench.errors import UserError
from pixelbench.files.atomic import put_in_place

BLOCK = 1 << 20
#: What reading a damaged archive raises.
_DAMAGE = (OSError, EOFError, zlib.error, tarfile.TarError)


def gunzip(archive: Path, target: Path, *, md5: str | None = None) -> None:
    """Write what a `.gz` file holds to `target`; its folder is made.

    Args:
        archive: is read a block at a time.
        target: is replaced in one step.
        md5: of the contents, as 32 hex digits; None where gzip's own check sum has to do.

    Raises:
        UserError: the archive cannot be read or is damaged, or the file cannot be written; `target` is then as it was.
    """
    with alone(target.parent):
        _write(_unzipped(archive), target, md5, archive)


def extract(archive: Path, members: Mapping[str, str], folder: Path) -> None:
    """Write some files of a `.tar.gz` into `folder`, each under its path in the archive; everything else in it is passed over.

    Args:
        archive: is read once through, a block at a time.
        members: paths in the archive → MD5 of the contents. The names of files come from here and never from the archive.
        folder: is made; a file that is there is replaced in one step.

    Raises:
        UserError: the archive cannot be read or is damaged, lacks one of the files, or one cannot be written; what was there before it
            is then as it was.
    """
    wanted = dict(members)
    with alone(folder):
        try:
            with tarfile.open(archive, "r|gz") as tar:
                for member in tar:
                    name = member.name.removeprefix("./")
                    source = tar.extractfile(member) if member.isfile() and name in wanted else None
                    if source:
                        _write(_blocks(source.read, archive), folder / name, wanted.pop(name), archive)
                    if not wanted:
                        return
        except _DAMAGE as error:
            raise _unreadable(archive, error) from None
    raise UserError(f"'{archive}' does not hold {_listed(wanted)}; {_AGAIN}")


def _unzipped(archive: Path) -> Iterator[bytes]:
    try:
        with gzip.open(archive, "rb") as file:
            yield from _blocks(file.read, archive)
    except OSError as error:
        raise _unreadable(archive, error) from None


def _blocks(read: Callable[[int], bytes], archive: Path) -> Iterator[bytes]:
    """Everything that `read` gives, to the end.

    Raises:
        UserError: the archive is damaged.
    """
    while True:
        try:
            block = read(BLOCK)
        except _DAMAGE as error:
            raise _unreadable(archive, error) from None
        if not block:
            return
        yield block


def _write(blocks: Iterable[bytes], target: Path, md5: str | None, archive: Path) -> None:
    """Only the holder of the folder's lock comes here, so what a killed process left under the temporary name is written over."""
    digest = hashlib.md5(usedforsecurity=False)
    temporary = target.with_name(f".{target.name}.tmp")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                for block in blocks:
                    digest.update(block)
                    file.write(block)
            if md5 is not None and digest.hexdigest() != md5:
                raise UserError(f"'{target.name}' in '{archive}' is damaged: its MD5 is {digest.hexdigest()}, not {md5}; {_AGAIN}")
            put_in_place(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)


def _unreadable(archive: Path, error: BaseException) -> UserError:
    return UserError(f"'{archive}' cannot be unpacked ({said(error)}); {_AGAIN}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_AGAIN = "delete it, and `pixelbench fetch TASK` gets it again."
