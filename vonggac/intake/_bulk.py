"""Elasticsearch's bulk body: action lines and documents out of it, an answer of one item an action.

Shape: the Bulk API of Elasticsearch 8, as its senders use it: `create` and `index`, `_id` optional.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import orjson

from vonggac.event import digest
from vonggac.intake._documents import MOST, Document, TooManyError

_NAME: Final = 512  # bytes of an _id or _index, as Elasticsearch has it


class NotBulkError(Exception):
    """The body is no bulk body; nothing of it is taken, for where one action ends cannot be said."""


class Item(msgspec.Struct, frozen=True, gc=False):  # one an event, as `Event` is
    """One action: what it asks for, and its document."""

    line: int  # of the document, from 1
    document: bytes
    operation: str = "create"
    index: str = ""
    id: str = ""
    refused: str = ""  # why it is not even looked at


def items(body: bytes, index: str) -> list[Item]:
    """Part a bulk body; `index` is the one of the path. Raises NotBulkError, TooManyError."""
    found: list[Item] = []
    known: dict[bytes, tuple[str, str]] = {}
    lines = enumerate(body.split(b"\n"), 1)
    for number, line in lines:
        action = line.strip()
        if not action:
            continue
        if len(found) >= MOST:
            raise TooManyError
        identity = ""
        if (same := known.get(action)) is not None:
            operation, into = same
        else:
            operation, into, identity = _action(number, action, index)
            if not identity and len(known) < 1_000:
                known[action] = operation, into
        if operation == "delete":
            found.append(Item(number, b"", operation, into, identity, "events are not deleted"))
            continue
        number, document = next(lines, (number, None))
        if document is None:
            msg = f"line {number}: the document of the last action is missing"
            raise NotBulkError(msg)
        refused = "events are not updated" if operation == "update" else ""
        found.append(Item(number, document.strip(), operation, into, identity, refused))
    return found


def documents(asked: Sequence[Item]) -> list[Document]:
    """Give what is to be read. An `_id` identifies the event as it would the document: within its index."""
    return [
        Document(position, item.line, item.document, digest("bulk", item.index, item.id) if item.id else "")
        for position, item in enumerate(asked)
        if not item.refused
    ]


def answer(asked: Sequence[Item], refused: Mapping[int, str], took_ms: int) -> bytes:
    """Give the answer: 201 for what is durable, 400 with the reason for what is refused, by the item's position."""
    good: dict[tuple[str, str], bytes] = {}
    parts = []
    for position, item in enumerate(asked):
        reason = refused.get(position)
        if reason is not None:
            failed = {"_index": item.index, "_id": item.id or None, "status": 400, "error": _error(reason)}
            parts.append(orjson.dumps({item.operation: failed}))
        elif item.id:
            made = {"_index": item.index, "_id": item.id, "result": "created", "status": 201}
            parts.append(orjson.dumps({item.operation: made}))
        else:
            key = item.operation, item.index
            if key not in good:
                good[key] = orjson.dumps({key[0]: {"_index": key[1], "result": "created", "status": 201}})
            parts.append(good[key])
    errors = b"true" if refused else b"false"
    return b'{"took":%d,"errors":%s,"items":[%s]}' % (took_ms, errors, b",".join(parts))


def _error(reason: str) -> dict[str, str]:
    return {"type": "document_parsing_exception", "reason": reason}


def _action(number: int, line: bytes, index: str) -> tuple[str, str, str]:
    """Read `{"create": {"_index": "…", "_id": "…"}}`; gives operation, index, id."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        msg = f"line {number}: no action: {error}"
        raise NotBulkError(msg) from error
    if isinstance(value, dict) and len(value) == 1:
        ((operation, about),) = value.items()
        if operation in ("create", "index", "update", "delete") and isinstance(about, dict):
            into, identity = about.get("_index") or index, about.get("_id") or ""
            identity = str(identity) if type(identity) is int else identity
            if all(isinstance(one, str) and len(one.encode()) <= _NAME for one in (into, identity)):
                return operation, into, identity
    msg = f'line {number}: no action such as {{"create": {{}}}}'
    raise NotBulkError(msg)
