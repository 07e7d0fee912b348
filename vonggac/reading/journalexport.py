"""Entries of the journal export format out of a byte stream, bounded: `NAME=value` lines and binary fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from vonggac.reading.lines import CHUNK, KEPT, LINE_LIMIT, skip

_FIELDS: Final = 4096  # of one entry


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its fields in their order, or why it could not be read (`reason`), with its first bytes."""

    offset: int
    fields: list[tuple[str, bytes]]
    start: bytes
    reason: str = ""


def entries(stream: BinaryIO, start: int = 0, limit: int = LINE_LIMIT) -> Iterator[Entry]:
    r"""Yield the entries from `start` on, an entry's first byte.

    A field is `NAME=text\n`, or `NAME\n`, its length in 8 bytes (little-endian), the bytes and `\n`; an empty line ends
    the entry. After damage the reading goes on behind the next empty line. Source: systemd, "Journal Export Formats".
    """
    reader = _Reader(stream, start)
    while True:
        line = reader.line(limit)
        while line == b"":
            line = reader.line(limit)
        if line is None:
            return
        offset = reader.before
        fields: list[tuple[str, bytes]] = []
        size = 0
        reason = ""
        while line:
            name, equals, value = line.partition(b"=")
            if len(line) > limit:
                reason = f"a field above the limit of {limit:,} bytes"
            elif not equals:
                length = int.from_bytes(reader.take(8), "little")
                if size + length > limit:
                    reason = f"field {name[:64].decode(errors='replace')!r} claims {length:,} bytes, above {limit:,}"
                else:
                    value = reader.take(length)
                    if len(value) < length or reader.take(1) != b"\n":
                        reason = f"field {name[:64].decode(errors='replace')!r} is cut short"
            size += len(name) + len(value)
            if not reason and (size > limit or len(fields) >= _FIELDS):
                reason = f"entry of more than {limit:,} bytes or {_FIELDS:,} fields"
            if reason:
                while line:  # on to the empty line
                    line = reader.line(limit)
                break
            fields.append((name.decode(errors="replace"), value))
            line = reader.line(limit)
        head = b"\n".join(b"%b=%b" % (name.encode(), value[:KEPT]) for name, value in fields[:16])
        yield Entry(offset, [] if reason else fields, head, reason)


class _Reader:
    """Lines and counted bytes from one stream. `before`: the offset of what was read last."""

    def __init__(self, stream: BinaryIO, start: int) -> None:
        skip(stream, start)
        self._stream = stream
        self._buffer = bytearray()
        self._at = 0  # in the buffer
        self._offset = start  # of the buffer's first byte
        self.before = start

    def line(self, limit: int) -> bytes | None:
        """Give the next line without its newline; None at the end. Of one above the limit, its first bytes (more)."""
        self.before = self._offset + self._at
        scanned = self._at
        while (end := self._buffer.find(b"\n", scanned)) < 0:
            scanned = len(self._buffer)
            if scanned - self._at > limit:
                return self._long(limit)
            if not self._fill():
                rest = bytes(self._buffer[self._at :])
                self._at = len(self._buffer)
                return rest or None
            scanned -= self._dropped
        found = bytes(self._buffer[self._at : end])
        self._at = end + 1
        return found

    def take(self, count: int) -> bytes:
        """Give the next `count` bytes, fewer at the end."""
        while len(self._buffer) - self._at < count and self._fill():
            pass
        found = bytes(self._buffer[self._at : self._at + count])
        self._at += len(found)
        return found

    def _long(self, limit: int) -> bytes:
        found = bytes(self._buffer[self._at : self._at + limit + 1])
        while (end := self._buffer.find(b"\n", self._at)) < 0:
            self._at = len(self._buffer)
            if not self._fill():
                return found
        self._at = end + 1
        return found

    def _fill(self) -> bool:
        """Read a chunk more, letting go of what was read."""
        self._dropped = self._at
        del self._buffer[: self._at]
        self._offset += self._at
        self._at = 0
        chunk = self._stream.read(CHUNK)
        self._buffer += chunk
        return bool(chunk)
