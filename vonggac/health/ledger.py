"""The ledger's rows: one a source and day, chained by hashes, so that a later change, cut or reorder shows.

Evidence for auditors of what was watched and when: it cannot be made up later, so it is written from the first day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from vonggac.health.measure import Source

START: Final = "0" * 64  # what the first row follows


class Day(msgspec.Struct, frozen=True):
    """What one source sent on one day of Asia/Ho_Chi_Minh."""

    day: str  # 2026-03-01
    source: Source
    unit: str
    events: int
    failed: int
    first: str | None  # append time of the day's first event, ISO 8601; None = no event
    last: str | None
    silent: int  # minutes without an event while the service was up
    watched: int  # minutes that the service was up since the source is known: at most 1440
    offset_s: float | None  # median clock offset; > 0: the source is behind
    changes: tuple[str, ...]  # `2026-03-01T08:00:00.000000Z health/silence begins`

    def body(self) -> str:
        """Give the row as it is hashed and kept: JSON, its keys in this order."""
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the ledger keeps it."""

    number: int  # 1, 2, 3 …
    body: str
    before: str  # hash of the row before it
    hash: str


def chained(before: str, number: int, body: str) -> str:
    """Give a row's hash: SHA-256 over the hash before it, its number and its body."""
    return hashlib.sha256(f"{before}\n{number}\n{body}".encode()).hexdigest()


def verify(rows: Iterable[Row], head: tuple[int, str]) -> str | None:
    """Say what is wrong with the ledger, naming the first row; None = it is whole. `head` is what must be last.

    A change, a cut, an insertion or a reorder shows. A ledger that was written anew from the start shows only against
    a head that was kept elsewhere.
    """
    number, before = 0, START
    for row in rows:
        number += 1
        if row.number != number:
            return f"row {number} is missing: row {row.number} follows row {number - 1}"
        if row.before != before:
            return f"row {number} does not follow row {number - 1}: one of them was changed or moved"
        if row.hash != chained(before, number, row.body):
            return f"row {number} was changed: its hash is not that of its content"
        before = row.hash
    if (number, before) != head:
        return f"the ledger ends at row {number}; its head names row {head[0]}: rows were cut or added"
    return None


def read(body: str) -> Day:
    """Read what `Day.body` gave; raises ValueError when it is not that."""
    return _decode(body)


_decode: Final = msgspec.json.Decoder(Day).decode
