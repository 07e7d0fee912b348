"""One loop for all logs of one JSON object an event: offsets, marks, doubled keys; the collector makes the event."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, Final, Protocol

import msgspec

from vonggac.event import Bad, Event, file_id
from vonggac.ports import Batch, Source
from vonggac.reading.jsonstream import GAP, decode, is_ndjson, objects
from vonggac.reading.lines import TooLong, lines
from vonggac.reading.source import READ_ERRORS
from vonggac.reading.textlog import BATCH, SAMPLE, first_digest

_BROKEN: Final = 20  # records of a head that may be damaged before a log is not known
_BOM: Final = b"\xef\xbb\xbf"  # PowerShell's Out-File writes it


# A Struct for the same reason as Event: one is made an event (0.1 µs, not 0.25).
class Found(msgspec.Struct, gc=False):
    """One JSON object of an input, on its way to an event."""

    value: dict[str, Any]
    offset: int
    #: the object as it came, to be spliced in; None when it fills several lines (an event is one line)
    raw: bytes | None
    notes: list[str]  # what was odd; each becomes a `Bad` that was kept
    _first: bytes
    _record: bytes

    def file_id(self) -> str:
        """Give the id of a record that has none of its own."""
        return file_id(self._first, self.offset, self._record)


class Parser(Protocol):
    """What a collector of JSON offers; `read_json` does the rest."""

    def __call__(self, found: Found) -> Event:
        """Make the event; raises ValueError with the reason when the object is none."""
        ...


def read_json(
    source: Source,
    mark: bytes | None,
    parse: Parser,
    skipped: re.Pattern[bytes] | None = None,
    gap: re.Pattern[bytes] = GAP,
) -> Iterator[Batch]:
    """Yield the batches of a JSON log, whatever its shape: lines, one after another, an array. Marks are offsets.

    `skipped` matches text that may stand between objects and is no event; `gap` is what `objects` steps over.
    """
    head = start_of(source.head.data)
    begin = int(mark) if mark else len(source.head.data) - len(head)
    first = first_digest(source)
    out: list[Event | Bad] = []
    end = begin
    with source.open() as stream:
        try:
            for offset, record in lines(stream, begin) if is_ndjson(head) else objects(stream, begin, gap=gap):
                if len(out) >= BATCH:
                    yield out, b"%d" % offset
                    out = []
                end = offset + (record.length if isinstance(record, TooLong) else len(record))
                if skipped is None or isinstance(record, TooLong) or not skipped.fullmatch(record):
                    _take(out, source.path, offset, record, first, parse)
        except READ_ERRORS:
            if out:  # what was read before the damage counts
                yield out, b"%d" % end
            raise
    yield out, None


def start_of(head: bytes) -> bytes:
    """Give a head without its byte order mark."""
    return head.removeprefix(_BOM)


def sample_objects(data: bytes, count: int = 20) -> list[dict[str, Any]]:
    """Give the first whole objects of a head for `claims`; nothing when it is binary (NUL in the first KiB)."""
    data = start_of(data)
    if b"\0" in data[:1024] or not data.lstrip(b" \t\r\n,[").startswith((b"{", b"Record ")):
        return []
    found: list[dict[str, Any]] = []
    stream = io.BytesIO(data)
    for position, (_, record) in enumerate((lines if is_ndjson(data) else objects)(stream)):
        if position >= count + _BROKEN or len(found) >= count:
            break
        if isinstance(record, bytes) and record.lstrip().startswith(b"{"):
            try:
                value, _warning = decode(record)
            except ValueError:
                continue
            if isinstance(value, dict):
                found.append(value)
    return found


def _take(out: list[Event | Bad], path: str, offset: int, record: bytes | TooLong, first: bytes, parse: Parser) -> None:
    """Add what one record comes to: its event and what was odd about it, or why it is none."""
    if isinstance(record, TooLong):
        out.append(Bad(path, f"offset {offset}", str(record), record.start[:SAMPLE]))
        return
    try:
        value, warning = decode(record)
    except ValueError as error:
        out.append(Bad(path, f"offset {offset}", f"not JSON: {error}", record[:SAMPLE]))
        return
    if not isinstance(value, dict):
        out.append(Bad(path, f"offset {offset}", "no JSON object", record[:SAMPLE]))
        return
    notes = [warning] if warning else []
    try:
        out.append(parse(Found(value, offset, None if b"\n" in record else record, notes, first, record)))
    except ValueError as error:
        out.append(Bad(path, f"offset {offset}", str(error), record[:SAMPLE]))
        return
    if notes:
        out += [Bad(path, f"offset {offset}", note, record[:SAMPLE], kept=True) for note in notes]
