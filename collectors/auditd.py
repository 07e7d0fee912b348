r"""Reads the Linux audit log: the records of one serial are one event, hex-encoded values are decoded.

Dataset `linux.auditd`; namespace `auditd`: `serial`, `node`, and `records`, a list of objects with the vendor's names:
`type`, `a0`, `exe`, `comm`, `key`, `name`, `nametype`, `syscall`, `uid` …, and those of an ENRICHED log behind 0x1d in
capitals (`SYSCALL`, `AUID`). All values are text; `key` is a list when several rules' keys apply.
Source: the audit userspace documentation, "audit-events" and auditd.conf(5) (log_format).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from vonggac.event import Bad, Event, file_id
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.audit import RECORD_LIMIT, document, record
from vonggac.reading.lines import TooLong, lines
from vonggac.reading.source import READ_ERRORS
from vonggac.reading.textlog import BATCH, SAMPLE, first_digest, sample_lines

_GAP: Final = 64  # lines without a record of its serial close an event
_RECORDS: Final = 1024  # of one event
_HELD: Final = 16 << 20  # bytes of open events


def claims(head: Head) -> int:
    """Claim what has `type=… msg=audit(…):` in most lines."""
    found = sample_lines(head.data)
    hits = sum(_LINE.match(line) is not None for line in found)
    return 96 if hits and 2 * hits >= len(found) else 0


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; the options say nothing to it."""
    return _Auditd(source)


@dataclass(slots=True)
class _Open:
    """An event whose records may still come, or (`bad`) a line that is none. `seen`: the number of its last line."""

    key: tuple[str, str, str]  # node, time, serial
    seen: int
    offsets: list[int] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    bad: str = ""


class _Auditd:
    """Holds events open while their records may still come; they are told in the order of their first lines.

    A mark is where the oldest open one begins, and the offsets of later lines that were told (`9000 9120 9300`).
    Whether a line belongs to an open event depends on that event's own lines alone, so a resumed reading agrees.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._file = {"path": source.path}

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        start, *told = map(int, (mark or b"0").split())
        first = first_digest(self._source)
        window = _Window(set(told))
        out: list[Event | Bad] = []
        with self._source.open() as stream:
            try:
                for offset, line in lines(stream, start):
                    window.take(offset, line)
                    while (entry := window.closed()) is not None:
                        out += self._tell(entry, first)
                        if len(out) >= BATCH:
                            yield out, window.mark()
                            out = []
            except READ_ERRORS:
                out += [record for entry in window.queue for record in self._tell(entry, first)]
                if out:  # what was read before the damage counts
                    yield out, b"%d" % window.end
                raise
        out += [record for entry in window.queue for record in self._tell(entry, first)]
        yield out, None

    def _tell(self, entry: _Open, first: bytes) -> list[Event | Bad]:
        at = entry.offsets[0]
        joined = b"\n".join(entry.lines)
        if entry.bad:
            return [Bad(self._source.path, f"offset {at}", entry.bad, joined[:SAMPLE])]
        notes: list[Event | Bad] = []
        records = []
        for offset, line in zip(entry.offsets, entry.lines, strict=True):
            text = line.decode(errors="replace")
            match = _LINE.match(text)
            if match is not None:
                records.append(record(match[2], match[5]))
            place, sample = f"offset {offset}", line[:SAMPLE]
            notes += [Bad(self._source.path, place, note, sample, kept=True) for note in _oddities(line, text)]
        doc = document(*entry.key, records, joined.decode(errors="replace"))
        doc["log"] = {"file": self._file, "offset": at}
        return [Event(file_id(first, at, joined), doc), *notes]


class _Window:
    """The open events, bounded in lines and bytes."""

    def __init__(self, told: set[int]) -> None:
        self.queue: deque[_Open] = deque()
        self.end = 0  # of the last line taken
        self._told = told
        self._open: dict[tuple[str, str, str], _Open] = {}
        self._count = self._held = 0

    def take(self, offset: int, line: bytes | TooLong) -> None:
        self._count += 1
        self.end = offset + (line.length if isinstance(line, TooLong) else len(line)) + 1
        if offset in self._told:
            return
        if isinstance(line, TooLong):
            self.queue.append(_Open(("", "", ""), 0, [offset], [line.start[:SAMPLE]], 0, str(line)))
            return
        match = _HEADER.match(line)
        if match is None:
            self.queue.append(_Open(("", "", ""), 0, [offset], [line], 0, "no record of the audit log"))
            return
        node, _, time, serial = (part.decode(errors="replace") for part in match.groups(b""))
        key = node, time, serial
        entry = self._open.get(key)
        if entry is None or self._count - entry.seen > _GAP or len(entry.lines) >= _RECORDS:
            entry = self._open[key] = _Open(key, self._count)
            self.queue.append(entry)
        entry.seen = self._count
        entry.offsets.append(offset)
        entry.lines.append(line)
        entry.size += len(line)
        self._held += len(line)

    def closed(self) -> _Open | None:
        """Take the oldest event out if nothing more of it can come."""
        if not self.queue:
            return None
        entry = self.queue[0]
        if not (entry.bad or self._count - entry.seen > _GAP or len(entry.lines) >= _RECORDS or self._held > _HELD):
            return None
        self.queue.popleft()
        self._told.update(entry.offsets)
        self._held -= entry.size
        if self._open.get(entry.key) is entry:
            del self._open[entry.key]
        return entry

    def mark(self) -> bytes:
        start = self.queue[0].offsets[0] if self.queue else self.end
        self._told = {offset for offset in self._told if offset > start}
        return b" ".join(b"%d" % offset for offset in (start, *sorted(self._told)))


def _oddities(line: bytes, text: str) -> Iterator[str]:
    if "\ufffd" in text and b"\xef\xbf\xbd" not in line:
        yield "invalid UTF-8 in a record"
    if "\0" in text:
        yield "NUL bytes in a record"
    if len(text) > RECORD_LIMIT:
        yield f"record of {len(text):,} characters; the first {RECORD_LIMIT:,} were taken apart"


_FORM: Final = (
    r"(?:node=(\S{1,255}) )?type=([A-Z0-9_]{1,40}(?:\[[0-9]{1,10}\])?) "
    r"msg=audit\(([0-9]{1,12}\.[0-9]{1,9}):([0-9]{1,20})\):?"
)
_HEADER: Final = re.compile(_FORM.encode())
_LINE: Final = re.compile(_FORM + "(.*)", re.S)
