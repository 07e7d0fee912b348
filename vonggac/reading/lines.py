"""Lines of a byte stream with their offsets, bounded in memory whatever the input holds."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

LINE_LIMIT: Final = 8 << 20  # a line above it is named, not kept: 64 KiB of it are
KEPT: Final = 64 << 10
CHUNK: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line above the limit: its length, and its first 64 KiB."""

    length: int
    start: bytes

    def __str__(self) -> str:
        """Give the reason as people read it."""
        return f"line of {self.length:,} bytes is above the limit of {LINE_LIMIT:,}"


def lines(stream: BinaryIO, start: int = 0, limit: int = LINE_LIMIT) -> Iterator[tuple[int, bytes | TooLong]]:
    r"""Yield (offset, line without its `\n` or `\r\n`), empty lines left out, from the whole line at `start`.

    The last line counts without a newline too. `start` must be the offset of a line's first byte. What comes out does
    not depend on how the stream cuts its reads.
    """
    skip(stream, start)
    offset = start
    rest = b""
    dropped, begun = 0, b""  # of a line above the limit: bytes let go, and its first ones
    while chunk := stream.read(CHUNK):
        parts = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
        rest = parts.pop()
        if dropped and parts:
            size = dropped + len(parts.pop(0))
            yield offset, TooLong(size, begun)
            offset += size + 1
            dropped = 0
        for part in parts:
            size = len(part) + 1
            if size > limit + 1:
                yield offset, TooLong(len(part), part[: min(limit, KEPT)])
            elif part and (line := part.removesuffix(b"\r")):
                yield offset, line
            offset += size
        if dropped or len(rest) > limit:
            begun = begun if dropped else rest[: min(limit, KEPT)]
            dropped += len(rest)
            rest = b""
    if dropped:
        yield offset, TooLong(dropped, begun)
    elif line := rest.removesuffix(b"\r"):
        yield offset, line


def first_line(stream: BinaryIO, limit: int = LINE_LIMIT) -> bytes:
    """Give the first whole line, its first 64 KiB when longer than `limit`; the stream stands somewhere behind it."""
    for _, line in lines(stream, limit=limit):
        return line.start if isinstance(line, TooLong) else line
    return b""


def skip(stream: BinaryIO, count: int) -> None:
    """Move forward by `count` bytes, by seeking where the stream can."""
    if not count:
        return
    if stream.seekable():
        stream.seek(count, io.SEEK_CUR)
        return
    while count and (chunk := stream.read(min(count, CHUNK))):
        count -= len(chunk)
