"""JSON objects out of a byte stream, whatever their shape: lines, one after another, arrays, CloudTrail's wrapper."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import orjson

from vonggac.reading.lines import CHUNK, KEPT, LINE_LIMIT, TooLong, skip

#: whole strings and what stands between brackets; bounded, so that no input makes the matcher remember much. One search
#: a bracket instead of two a string: 90,000 CloudTrail records/s instead of 36,000
_PLAIN = re.compile(rb'(?:[^"{}\[\]]*"[^"\\]*(?:\\.[^"\\]*){0,16}"){0,32}[^"{}\[\]]*', re.DOTALL)
_STRING_END = re.compile(rb'["\\]')
_COLON = re.compile(rb"\\u003[aA]")
#: between objects: white space, an array's commas and brackets, RFC 7464's separator, NUL padding
GAP: Final = re.compile(rb"[ \t\r\n,\x1e\x00\[\]]*")


def decode(record: bytes) -> tuple[Any, str | None]:
    r"""Parse one JSON value; give it with a warning when a key stands twice in one object (the last one counts).

    Raises ValueError with a reason for what is not JSON: a lone surrogate, NaN, a number beyond a double, nesting that
    the parser refuses. Whole numbers outside 64 bits come as floats. The check of doubled keys costs a re-encoding
    (1.3 µs an event): each pair has one `:`, so where the number of `:` is the same, no pair is gone; a `\u003a` alone
    could make up for one. Only then the slow, exact way is taken: a line whose detector and reader see different values
    is an attack, not an oddity.
    """
    value = orjson.loads(record)
    try:
        again = orjson.dumps([[[[[[[[value]]]]]]]])[8:-8]
    except TypeError as error:  # orjson reads 1,024 levels and writes 254; 8 are for what an event puts around it
        msg = "nested deeper than 246 levels"
        raise ValueError(msg) from error
    if again == record:
        return value, None
    if again.count(b":") == record.count(b":") and not (b"\\u003" in record and _COLON.search(record)):
        return value, None
    return value, _doubled(record)


def _doubled(record: bytes) -> str | None:
    twice: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                twice.append(name)
            seen.add(name)

    # numbers are not looked at: Python refuses 4,300 digits, which orjson reads in a fraction
    json.loads(record, object_pairs_hook=look, parse_int=len, parse_float=len)
    return f"key {twice[0][:80]!r} stands twice in one object; its last value counts" if twice else None


def objects(
    stream: BinaryIO, start: int = 0, limit: int = LINE_LIMIT, gap: re.Pattern[bytes] = GAP
) -> Iterator[tuple[int, bytes | TooLong]]:
    """Yield (offset, bytes of one object) of concatenated, pretty-printed or array-wrapped JSON.

    The bytes are a balanced `{…}`, or, where text stands between objects, that text up to the next line's end: the
    caller's `decode` says what is wrong with it. `gap` matches what is stepped over between objects (at most 64 bytes
    are looked at together). What is cut short by the end of the stream is yielded as it is. What comes out does not
    depend on how the stream cuts its reads.
    """
    skip(stream, start)
    buffer = bytearray()
    offset = start  # of buffer[0]
    ended = False
    while True:
        while True:
            if len(buffer) < _AHEAD and not ended:
                ended = not _more(stream, buffer)
                continue
            found = gap.match(buffer)
            if found is None or not (stepped := found.end()):
                break
            del buffer[:stepped]
            offset += stepped
        if not buffer:
            return
        scan = _Scan(buffer[0] == 0x7B)
        dropped, begun = 0, b""  # of an object above the limit: bytes let go, and its first ones
        while (end := scan.end(buffer)) is None and not ended:
            if len(buffer) > limit or dropped:
                begun = begun or bytes(buffer[: min(limit, KEPT)])
                dropped += scan.position
                del buffer[: scan.position]
                scan.position = 0
            ended = not _more(stream, buffer)
        end = len(buffer) if end is None else end
        size = dropped + end
        if size > limit:
            yield offset, TooLong(size, begun or bytes(buffer[: min(limit, KEPT)]))
        else:
            yield offset, bytes(buffer[:end])
        del buffer[:end]
        offset += size


def is_ndjson(head: bytes) -> bool:
    """Say whether the first line is a whole object (a single object on one line counts)."""
    first = head.lstrip().split(b"\n", 1)[0].strip()
    if not first.startswith(b"{"):
        return False
    if first.endswith(b"}"):
        try:
            orjson.loads(first)
        except orjson.JSONDecodeError:
            if first.count(b"{") != first.count(b"}"):
                return False
            return _Scan(True).end(bytearray(first)) in (
                None,
                len(first),
            )  # bad inside, but still a line; not two objects
        return True
    return b"\n" not in head and len(head) >= KEPT  # one line longer than the head


def _more(stream: BinaryIO, buffer: bytearray) -> int:
    chunk = stream.read(CHUNK)
    buffer += chunk
    return len(chunk)


class _Scan:
    """Looks for the end of the object (or of the stray line) at buffer[0]; no byte is looked at twice."""

    __slots__ = ("_depth", "_object", "_string", "position")

    def __init__(self, is_object: bool) -> None:
        self._object, self._depth, self._string = is_object, 0, False
        self.position = 0  # what lies before it has been looked at

    def end(self, buffer: bytearray) -> int | None:
        """Give the end, or None when it is not in the buffer; go on from where the last call stopped."""
        if not self._object:
            end = buffer.find(b"\n", self.position)
            self.position = len(buffer)
            return end + 1 if end >= 0 else None
        depth, position = self._depth, self.position
        while True:
            if self._string:
                found = _STRING_END.search(buffer, position)
                if found is None:
                    position = len(buffer)
                    break
                position = found.end()
                if buffer[position - 1] == 0x22:
                    self._string = False
                elif position == len(buffer):  # the escaped character is still to come
                    position -= 1
                    break
                else:
                    position += 1
                continue
            begun = position
            match = _PLAIN.match(buffer, begun)
            position = match.end() if match else begun
            if position == len(buffer):
                break
            token = buffer[position]
            if token == 0x22:
                if position == begun:  # a string that does not end here, or has many escapes
                    self._string = True
                    position += 1
                continue
            position += 1
            if token in b"{[":
                depth += 1
            else:
                depth -= 1
                if depth <= 0:
                    return position
        self._depth, self.position = depth, position
        return None


_AHEAD: Final = 64  # bytes that `gap` sees at least, unless the stream ends
