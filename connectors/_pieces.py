"""What stands in one Parquet file of the embedded store, and which small files are merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from connectors._catalogue import OTHERS, Piece, SourceSpan
from connectors._parquet import SCHEMA

Source = tuple[str, str]  # dataset, host
Spans = dict[Source, list[int]]  # a source's event times, µs since 1970


def sources_of(spans: Spans) -> list[SourceSpan]:
    """Say what a file holds of each source; of very many, those with few events are one together."""
    return limited([SourceSpan(*source, len(times), min(times), max(times)) for source, times in spans.items()])


def limited(sources: Sequence[SourceSpan]) -> list[SourceSpan]:
    """Keep the sources with the most events, and join the rest into one that stands for any."""
    if len(sources) <= _SOURCES and all(len(one.dataset) + len(one.host) <= _LONG for one in sources):
        return list(sources)
    ranked = sorted(sources, key=lambda one: (len(one.dataset) + len(one.host) > _LONG, -one.rows))
    kept = [one for one in ranked[: _SOURCES - 1] if len(one.dataset) + len(one.host) <= _LONG]
    rest = ranked[len(kept) :]
    oldest, newest = min(one.oldest for one in rest), max(one.newest for one in rest)
    return [*kept, SourceSpan(OTHERS, OTHERS, sum(one.rows for one in rest), oldest, newest)]


def joined(group: Sequence[Piece], name: str, size: int, digest: str) -> Piece:
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
        digest=digest,
    )


def groups(pieces: Sequence[Piece], small: int, merged: int, least: int) -> Iterator[list[Piece]]:
    """Choose small files of one day, those with strays apart: `least` of them, or as many as make a large one."""
    days: dict[tuple[int, bool], list[Piece]] = {}
    for piece in pieces:
        if piece.rows < small:
            days.setdefault((piece.appended_to // _DAY_US, piece.strays > 0), []).append(piece)
    for day in days.values():
        group: list[Piece] = []
        rows = 0
        for one in [*day, None]:
            if one is None or (group and rows + one.rows > merged):
                if len(group) > 1 and (len(group) >= least or rows >= small):
                    yield group
                group, rows = [], 0
            if one is not None:
                group.append(one)
                rows += one.rows


_DAY_US: Final = 86_400 * 10**6
_SOURCES: Final = 1_000  # of a file: whoever makes up host names fills no catalogue
_LONG: Final = 512  # characters of dataset and host
