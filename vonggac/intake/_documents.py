"""A body of NDJSON, of one object or of one array: parted into documents of one line each."""

from __future__ import annotations

import contextlib
import io
from typing import Final

import msgspec
import orjson

from vonggac.reading.jsonstream import is_ndjson, objects
from vonggac.reading.lines import TooLong
from vonggac.reading.source import HEAD

MOST: Final = 100_000  # documents of one body


class TooManyError(Exception):
    """More documents than one body may hold."""


class Document(msgspec.Struct, frozen=True, gc=False):  # one an event, as `Event` is
    """One document as it was sent."""

    position: int  # among the body's
    line: int  # in the body, from 1
    text: bytes  # one line
    id: str = ""  # as an event's id, when the sender named one beside the document


def documents_of(body: bytes) -> list[Document]:
    """Part a body of NDJSON, of one object or of one array into documents. Raises TooManyError."""
    found: list[Document] = []
    body = body.removeprefix(b"\xef\xbb\xbf")
    if is_ndjson(body[:HEAD]) or not body.lstrip().startswith((b"{", b"[")):
        for number, line in enumerate(body.split(b"\n"), 1):
            if text := line.strip():
                found.append(Document(len(found), number, text))
                if len(found) > MOST:
                    raise TooManyError
        return found
    number, at = 1, 0
    for offset, record in objects(io.BytesIO(body)):
        number, at = number + body.count(b"\n", at, offset), offset
        text = record.start if isinstance(record, TooLong) else record.strip()
        if b"\n" in text or b"\r" in text:
            with contextlib.suppress(orjson.JSONDecodeError):  # it is refused when it is read
                text = orjson.dumps(orjson.loads(text))
        found.append(Document(len(found), number, text))
        if len(found) > MOST:
            raise TooManyError
    return found
