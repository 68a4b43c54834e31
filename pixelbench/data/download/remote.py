"""Published files by name and address: what planning may know of a download without loading what makes it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Remote:
    """A published file: its name, the addresses to try in turn, and its MD5 as 32 hex digits where the publisher states it."""

    name: str
    urls: tuple[str, ...]
    md5: str | None = None
