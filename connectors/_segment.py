"""Segments: files of frames, named by the number of their first frame; walked past whatever damage they have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors._frame import LEAST, MARK, Damaged, Header, Section, decode, length, unpack

#: Places that a task remembers; each is logged as well.
MAX_DAMAGE: Final = 1000
SUFFIX: Final = ".vglog.zst"
_READ: Final = 1 << 20
_START: Final = 4096  # most headers are shorter: one read


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a segment that are not a frame, or a section of one that does not read."""

    file: str  # journal/segment
    at: int
    length: int
    reason: str

    def __str__(self) -> str:
        """Give the one line that a person reads."""
        return f"{self.file}: offset {self.at}: {self.length} bytes skipped: {self.reason}"


def numbers(folder: Path) -> list[int]:
    """List the segments of a journal, oldest first."""
    names = (name.removesuffix(SUFFIX) for name in os.listdir(folder) if name.endswith(SUFFIX))  # noqa: PTH208
    return sorted(int(name) for name in names if name.isascii() and name.isdigit())


def name_of(number: int) -> str:
    """Name a segment; names sort as numbers do."""
    return f"{number:020d}{SUFFIX}"


def header_at(file: int, at: int, limit: int, journal: bytes) -> Header:
    """Read the header at `at` of an open file; its frame ends at or before `limit`. Raises Damaged, NewerFormat."""
    data = os.pread(file, min(_START, max(0, limit - at)), at)
    size = length(data, journal)
    if at + size > limit:
        msg = f"a header of {size} bytes passes the end"
        raise Damaged(msg)
    if size > len(data):
        data = os.pread(file, size, at)
    header = decode(data[:size], journal)
    if at + header.size > limit:
        msg = f"a frame of {header.size} bytes passes the end"
        raise Damaged(msg)
    return header


def records_of(file: int, at: int, header: Header, wanted: Section) -> list[bytes]:
    """Read one section of the frame at `at`; raises Damaged."""
    start = at + header.length
    for section in header.sections:
        if section is wanted:
            break
        start += section.packed
    return unpack(os.pread(file, wanted.packed, start), wanted)


def whole(file: int, at: int, limit: int, journal: bytes) -> Header:
    """Read the header at `at` and hold every section to its checksum; raises Damaged, NewerFormat."""
    header = header_at(file, at, limit, journal)
    for section in header.sections:
        records_of(file, at, header, section)
    return header


def next_frame(file: int, at: int, limit: int, journal: bytes, end: int = 0) -> int:
    """Find the next header that begins at or after `at` and before `limit`, by its mark; `limit` when there is none.

    Its frame may reach to `end`, if that is further.
    """
    whole_end = max(limit, end)
    while at < limit:
        data = os.pread(file, min(_READ, limit - at + LEAST), at)
        if len(data) < LEAST:
            break
        # the mark stands 8 bytes into the frame
        found = data.find(MARK, 8)
        while found >= 0:
            try:
                header_at(file, at + found - 8, whole_end, journal)
            except Damaged:
                found = data.find(MARK, found + 1)
                continue
            return min(limit, at + found - 8)
        # a mark may lie across the end of what was read
        at += max(1, len(data) - 8 - len(MARK) + 1)
    return limit


def step_over(file: int, body: int, at: int, limit: int, journal: bytes) -> tuple[int, int]:
    """Find the frame after damage at `at`; give where the damage begins and ends.

    `body` is the end of the last good header: when bytes are missing from the frame before, the next one begins in it.
    """
    found = next_frame(file, body, at, journal, limit) if body < at else at
    return (body, found) if found < at else (at, next_frame(file, at + 1, limit, journal))


def walk(file: int, at: int, limit: int, journal: bytes, name: str) -> Iterator[tuple[int, Header] | Damage]:
    """Yield (offset, header) of each frame from `at` up to `limit`, and a Damage for what lies between."""
    body = at
    while at < limit:
        try:
            header = header_at(file, at, limit, journal)
        except Damaged as error:
            start, at = step_over(file, body, at, limit, journal)
            yield Damage(name, start, at - start, str(error))
            body = at
        else:
            yield at, header
            body = at + header.length
            at += header.size
