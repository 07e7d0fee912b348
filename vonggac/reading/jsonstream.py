"""JSON objects out of a byte stream, whatever their shape: lines, one after another, arrays, CloudTrail's wrapper."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import orjson

from vonggac.reading.lines import CHUNK, KEPT, LINE_LIMIT, TooLong, lines, skip

_TOKEN = re.compile(rb'["{}\[\]]')
_STRING_END = re.compile(rb'["\\]')
_SEPARATORS: Final = (
    b" \t\r\n,\x1e\x00"  # between objects: white space, array commas, RFC 7464's separator, NUL padding
)


def decode(record: bytes) -> tuple[Any, str | None]:
    """Parse one JSON value; give it with a warning when a key stands twice in one object (the last one counts).

    Raises ValueError with a reason for what is not JSON, a lone surrogate, or nesting that the parser refuses.
    The check of doubled keys costs a re-encoding (1.3 µs an event) and only then, when the number of `":` differs, the
    slow exact way: a line whose detector and reader see different values is an attack, not an oddity.
    """
    value = orjson.loads(record)
    try:
        again = orjson.dumps(value)
    except TypeError as error:  # orjson reads 1,024 levels and writes 254
        msg = "nested deeper than 254 levels"
        raise ValueError(msg) from error
    if again.count(b'":') == record.count(b'":'):
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

    try:
        json.loads(record, object_pairs_hook=look)
    except (ValueError, RecursionError):  # nan, 1e400 …: what orjson took, the exact way may refuse
        return None
    return f"key {twice[0][:80]!r} stands twice in one object; its last value counts" if twice else None


def objects(stream: BinaryIO, start: int = 0, limit: int = LINE_LIMIT) -> Iterator[tuple[int, bytes | TooLong]]:
    """Yield (offset, bytes of one object) of concatenated, pretty-printed or array-wrapped JSON.

    The bytes are a balanced `{…}`, or, where text stands between objects, that text up to the next line's end: the
    caller's `decode` says what is wrong with it. An opening `[` before the first object is stepped over. What is cut
    short by the end of the stream is yielded as it is.
    """
    skip(stream, start)
    buffer = bytearray()
    offset = start  # of buffer[0]
    ended = False
    while True:
        position = _next_object(buffer)
        del buffer[:position]
        offset += position
        end = _object_end(buffer)
        while end is None and not ended:
            if len(buffer) > limit:
                break
            chunk = stream.read(max(CHUNK, len(buffer)))  # doubling: the scan from the start stays linear
            ended = not chunk
            buffer += chunk
            if buffer[:1].strip(_SEPARATORS + b"[]") == b"":
                position = _next_object(buffer)
                del buffer[:position]
                offset += position
            end = _object_end(buffer)
        if not buffer:
            return
        if end is None:
            if len(buffer) > limit:
                size = len(buffer)
                head = bytes(buffer[:KEPT])
                while chunk := stream.read(CHUNK):
                    size += len(chunk)
                yield offset, TooLong(size, head)
            else:
                yield offset, bytes(buffer)
            return
        yield offset, bytes(buffer[:end])
        del buffer[:end]
        offset += end


def records(stream_of: Callable[[], BinaryIO], head: bytes, start: int = 0) -> Iterator[tuple[int, bytes | TooLong]]:
    """Yield (offset, record) from a fresh stream: by lines if the head shows NDJSON, by objects otherwise."""
    return (lines if is_ndjson(head) else objects)(stream_of(), start)


def is_ndjson(head: bytes) -> bool:
    """Say whether the first line is a whole object (a single object on one line counts)."""
    first = head.lstrip(_SEPARATORS).split(b"\n", 1)[0].strip()
    if not first.startswith(b"{"):
        return False
    if first.endswith(b"}"):
        try:
            orjson.loads(first)
        except orjson.JSONDecodeError:
            if first.count(b"{") != first.count(b"}"):
                return False
            return _object_end(bytearray(first)) in (None, len(first))  # bad inside, but still a line; not two objects
        return True
    return b"\n" not in head and len(head) >= KEPT  # one line longer than the head


def _next_object(buffer: bytearray) -> int:
    """Count the bytes before the next record: separators, and array brackets."""
    kept = buffer.lstrip(_SEPARATORS + b"[]")
    return len(buffer) - len(kept)


def _object_end(buffer: bytearray) -> int | None:
    """Find the end of the object (or of the stray line) at buffer[0]; None = not in the buffer."""
    if buffer[:1] != b"{":
        end = buffer.find(b"\n")
        return end + 1 if end >= 0 else None
    depth = position = 0
    while match := _TOKEN.search(buffer, position):
        position = match.end()
        token = buffer[position - 1]
        if token == 0x22:  # a string: to its closing quote, over escapes
            while quote := _STRING_END.search(buffer, position):
                position = quote.end()
                if buffer[position - 1] == 0x22:
                    break
                position += 1
            else:
                return None
        elif token in b"{[":
            depth += 1
        else:
            depth -= 1
            if depth <= 0:
                return position
    return None
