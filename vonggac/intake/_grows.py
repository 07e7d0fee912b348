"""One file that grows: what it is known by, how far it was read, and its next whole lines as a collector reads them."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import BinaryIO, Final, cast

import orjson

from vonggac.event import Bad, Event
from vonggac.ports import Batch, Collector, CollectorModule, ReadOptions, Source
from vonggac.reading.claims import claimed
from vonggac.reading.source import READ_ERRORS, Limits, ShrankError, display, make
from vonggac.reading.textlog import TextLog, binary
from vonggac.reading.walk import reason_of

TURN: Final = 512 << 10  # bytes read of a file before it is the next one's turn
SURE: Final = 64 << 10  # bytes: a file of so many that no collector claims is no log
_HEAD: Final = 4096  # bytes of the first line that count
_TAIL: Final = 256  # bytes before the place reached: they tell a file written anew from one that grew


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file is: what its mark in the log holds."""

    path: str  # as it was called last
    device: int
    inode: int
    head: str  # digest of the first line
    offset: int = 0  # read up to here: behind a newline
    tail: str = ""  # digest of the bytes before it
    collector: str = ""
    mark: bytes | None = None  # the collector's
    given: int = 0  # records behind `mark` that were given already

    @property
    def name(self) -> str:
        """The mark's name: the same after a rename."""
        return f"follow:{self.inode:x}.{self.head}"

    def to_bytes(self) -> bytes:
        """Write it; the path may hold any bytes."""
        mark = None if self.mark is None else self.mark.decode("latin-1")
        path = os.fsencode(self.path).decode("latin-1")
        said = [path, self.device, self.inode, self.head, self.offset, self.tail, self.collector, mark, self.given]
        return orjson.dumps(said)

    @classmethod
    def from_bytes(cls, data: bytes) -> Place:
        """Read what `to_bytes` wrote; raises ValueError for anything else."""
        try:
            path, device, inode, head, offset, tail, collector, mark, given = orjson.loads(data)
            path = os.fsdecode(path.encode("latin-1"))
            mark = None if mark is None else mark.encode("latin-1")
        except (TypeError, AttributeError) as error:
            msg = f"no mark of a followed file: {data[:80]!r}"
            raise ValueError(msg) from error
        return cls(path, device, inode, head, offset, tail, collector, mark, given)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn gave: batches, each with the place behind it. `waits`: something is held back until it is old."""

    batches: list[tuple[list[Event | Bad], Place]]
    waits: bool = False


class UnreadableError(Exception):
    """The file cannot be followed: the message says why."""


class ChangedError(Exception):
    """The file is not what it was: it was written anew, or cut short, while it was looked at or before."""


def head_of(descriptor: int) -> str:
    """Give the digest of a file's first line; empty when it has none yet (no newline in its first 4 KiB or more)."""
    data = os.pread(descriptor, _HEAD, 0)
    end = data.find(b"\n")
    if end < 0 and len(data) < _HEAD:
        return ""
    return hashlib.blake2b(data if end < 0 else data[:end], digest_size=8).hexdigest()


def tail_of(descriptor: int, offset: int) -> str:
    """Give the digest of the bytes before an offset."""
    start = max(0, offset - _TAIL)
    return hashlib.blake2b(os.pread(descriptor, offset - start, start), digest_size=8).hexdigest()


def check(descriptor: int, place: Place) -> None:
    """Raise ChangedError unless the file still begins, and goes on to the place reached, as it did."""
    if os.fstat(descriptor).st_size < place.offset or head_of(descriptor) != place.head:
        raise ChangedError
    if place.offset and tail_of(descriptor, place.offset) != place.tail:
        raise ChangedError


def whole(descriptor: int, offset: int, size: int, most: int = TURN) -> int:
    """Give the offset behind the last newline of about `most` bytes, or of the first line if that is longer."""
    data = os.pread(descriptor, min(most, size - offset), offset)
    if (cut := data.rfind(b"\n") + 1) or offset + len(data) >= size:
        return offset + cut
    at = offset + len(data)
    while at < size and (data := os.pread(descriptor, 1 << 20, at)):
        if (end := data.find(b"\n")) >= 0:
            return at + end + 1
        at += len(data)
    return offset


class Lines:
    """Reads turns. `collectors` by name; the options are those of every file."""

    def __init__(self, collectors: Mapping[str, CollectorModule], options: ReadOptions) -> None:
        self._collectors, self._options = collectors, options

    def turn(self, descriptor: int, place: Place, stop: int, old: int, *, last: bool) -> Turn:
        """Read from a place to `stop`, the end of a line. Raises ChangedError, UnreadableError.

        What a collector joins out of several lines is held back while it begins at `old` or behind it, since its rest
        may still come; and unless `stop` is the `last` line's end, since its rest is there.
        """
        check(descriptor, place)
        opened = self._opened(descriptor, place, stop)
        if opened is None:
            return Turn([])
        place, collector, alone = opened
        end = replace(place, offset=stop, tail=tail_of(descriptor, stop))
        try:
            if alone:
                batches = collector.read(b"%d" % place.offset if place.offset else None)
                turn = Turn([(list(records), _at(descriptor, end, mark)) for records, mark in batches])
            else:
                stable = isinstance(collector, TextLog)  # each line is an event, but reading begins at marks alone
                turn = _joined(collector.read(place.mark), place, end, None if stable else old, last or stable)
        except ShrankError as error:
            raise ChangedError from error
        except READ_ERRORS as error:
            raise UnreadableError(reason_of(error)) from error
        check(descriptor, place)  # what was read is what stands there: else it is thrown away
        if tail_of(descriptor, stop) != end.tail:
            raise ChangedError
        return turn

    def passed(self, descriptor: int, place: Place, stop: int) -> Place:
        """Give the place at `stop` without what stands before it. Raises ChangedError, UnreadableError."""
        opened = self._opened(descriptor, place, stop)
        if opened is None:
            return place
        place, collector, alone = opened
        end = replace(place, offset=stop, tail=tail_of(descriptor, stop))
        if alone:
            return end
        try:
            for records, mark in collector.read(None):
                end = replace(end, given=len(records)) if mark is None else replace(end, mark=mark)
        except READ_ERRORS as error:
            raise UnreadableError(reason_of(error)) from error
        return end

    def _opened(self, descriptor: int, place: Place, stop: int) -> tuple[Place, Collector, bool] | None:
        """Give the place with its collector's name, the collector, and whether reading may begin at any line."""
        source = _source(descriptor, place.path, stop)
        name = place.collector if place.collector in self._collectors else self._claimed(source, stop)
        if not name:
            return None
        module = self._collectors[name]
        splits = getattr(module, "splits", None)
        alone = splits is not None and bool(splits(source.head))
        return replace(place, collector=name), module.open(source, self._options), alone

    def _claimed(self, source: Source, stop: int) -> str:
        if binary(source.head.data):
            raise UnreadableError("is no text: only logs of lines can be followed; drop it into the inbox")  # noqa: EM101  the line itself
        name = claimed(source, self._collectors)
        if name is None and stop >= SURE:
            raise UnreadableError("no collector knows its format")  # noqa: EM101  the line itself
        return name or ""


def _at(descriptor: int, end: Place, mark: bytes | None) -> Place:
    """Give the place that a mark of a collector of lines means: the offset of the next one."""
    if mark is None:
        return end
    offset = int(mark.partition(b" ")[0])
    return replace(end, offset=offset, tail=tail_of(descriptor, offset))


def _joined(batches: Iterator[Batch], place: Place, end: Place, old: int | None, last: bool) -> Turn:
    """Step over what was given since the mark; hold back what is not `last`, or young.

    While something is held back, or comes in the next batch, the place keeps the offset that it had: so the file is
    looked at again.
    """
    skip, mark = place.given, place.mark
    found: list[tuple[list[Event | Bad], Place]] = []
    for records, after in batches:
        fresh = list(records)
        if after is not None:
            told, skip, mark = fresh[skip:], max(0, skip - len(fresh)), after
            found.append((told, replace(place, mark=mark, given=skip)))
            continue
        if not last:
            return Turn(found, waits=True)
        ready = len(fresh) if old is None else _ready(fresh, old)
        waits = ready < len(fresh)
        told = fresh[skip:ready]
        if told or not waits:
            found.append((told, replace(place if waits else end, mark=mark, given=max(ready, skip))))
        return Turn(found, waits)
    return Turn(found)


def _ready(records: list[Event | Bad], old: int) -> int:
    """Count the records before the first event that begins at `old` or behind it."""
    for count, record in enumerate(records):
        if isinstance(record, Event) and record.doc.get("log", {}).get("offset", 0) >= old:
            return count
    return len(records)


def _source(descriptor: int, path: str, stop: int) -> Source:
    modified = datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC)

    def opened() -> BinaryIO:
        return cast(BinaryIO, _Part(descriptor, stop))

    return make(display(path), stop, modified, opened, opened, Limits(), stop)


class _Part(io.RawIOBase):
    """The file up to an offset, by a descriptor that others read too."""

    def __init__(self, descriptor: int, stop: int) -> None:
        self._descriptor, self._stop, self._at = descriptor, stop, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(0, {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._stop}[whence] + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._stop - self._at)
        data = os.pread(self._descriptor, left if size < 0 else min(size, left), self._at)
        if not data and left and size:
            raise ShrankError(f"ended at byte {self._at:,} of {self._stop:,}")  # noqa: EM102  the line itself
        self._at += len(data)
        return data
