"""Where a followed file went: under another name, or as the copy that `copytruncate` made of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from vonggac.intake._grows import Place, head_of, tail_of
from vonggac.reading.source import open_regular

_ENTRIES: Final = 10_000  # of a folder that are looked at
_COMPARED: Final = 4096  # bytes


def by_inode(folder: str, inode: int) -> str | None:
    """Find a file's new name in the folder where it was."""
    return next((one.path for one in _entries(folder) if one.inode() == inode), None)


def copy_in(folder: str, place: Place) -> tuple[str, Place] | None:
    """Find a copy of a file, not compressed, that holds what was read of it: where it lies, and the place in it."""
    for entry in _entries(folder):
        with contextlib.suppress(OSError):
            if entry.inode() == place.inode or entry.stat().st_size < place.offset:
                continue
            with open_regular(entry.path) as stream:
                if (found := place_in_copy(stream.fileno(), place)) is not None:
                    return entry.path, found
    return None


def place_in_copy(descriptor: int, place: Place) -> Place | None:
    """Give the place in another file that begins like this one, up to the place reached; None = it is no copy."""
    status = os.fstat(descriptor)
    if status.st_size < place.offset or not place.offset or head_of(descriptor) != place.head:
        return None
    if tail_of(descriptor, place.offset) != place.tail:
        return None
    return replace(place, device=status.st_dev, inode=status.st_ino)


def in_the_making(copy: int, size: int, original: int) -> bool:
    """Say whether a file is, up to its size, the same as another: a copy that still grows."""
    start = max(0, size - _COMPARED)
    return os.pread(copy, size - start, start) == os.pread(original, size - start, start)


def last_line(descriptor: int, size: int, start: int = 0) -> int:
    """Give the offset behind the last newline of the last 16 MiB behind `start`; 0 when there is none."""
    at = size
    while at > max(start, size - (16 << 20)):
        begin = max(start, at - (64 << 10))
        if cut := os.pread(descriptor, at - begin, begin).rfind(b"\n") + 1:
            return begin + cut
        at = begin
    return 0


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for _, entry in zip(range(_ENTRIES), entries, strict=False):
            if entry.is_file(follow_symlinks=False):
                yield entry
