"""What stands in one Parquet file of the embedded store, and which small files are merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from connectors._catalogue import Piece, SourceSpan
from connectors._parquet import SCHEMA


@dataclass(slots=True)
class Row:
    """A row on its way into a file, and what a person needs to find its record again."""

    line: bytes
    ts: int
    appended: int
    source: tuple[str, str]
    place: tuple[str, int]
    record: bytes
    blob: str | None
    stray: bool


def piece_of(rows: Sequence[Row], name: str, size: int) -> Piece:
    """Say what a file of these rows holds."""
    spans: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        span = spans.setdefault(row.source, [0, row.ts, row.ts])
        span[0] += 1
        span[1] = min(span[1], row.ts)
        span[2] = max(span[2], row.ts)
    return Piece(
        name=name,
        rows=len(rows),
        size=size,
        oldest=min(span[1] for span in spans.values()),
        newest=max(span[2] for span in spans.values()),
        appended_from=min(row.appended for row in rows),
        appended_to=max(row.appended for row in rows),
        schema=SCHEMA,
        strays=sum(row.stray for row in rows),
        sources=tuple(SourceSpan(*source, *span) for source, span in spans.items()),
        blobs=tuple({row.blob for row in rows if row.blob}),
    )


def joined(group: Sequence[Piece], name: str, size: int) -> Piece:
    """Say what the file holds that these were joined into; without sources and blobs."""
    return Piece(
        name=name,
        rows=sum(one.rows for one in group),
        size=size,
        oldest=min(one.oldest for one in group),
        newest=max(one.newest for one in group),
        appended_from=min(one.appended_from for one in group),
        appended_to=max(one.appended_to for one in group),
        schema=SCHEMA,
        strays=sum(one.strays for one in group),
    )


def groups(pieces: Sequence[Piece], small: int, merged: int) -> Iterator[list[Piece]]:
    """Choose small files of one day, those with strays apart; a group of one would change nothing."""
    days: dict[tuple[int, bool], list[Piece]] = {}
    for piece in pieces:
        if piece.rows < small:
            days.setdefault((piece.appended_to // _DAY_US, piece.strays > 0), []).append(piece)
    for day in days.values():
        group: list[Piece] = []
        rows = 0
        for piece in day:
            if group and rows + piece.rows > merged:
                if len(group) > 1:
                    yield group
                group, rows = [], 0
            group.append(piece)
            rows += piece.rows
        if len(group) > 1:
            yield group


_DAY_US: Final = 86_400 * 10**6
