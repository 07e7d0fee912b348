"""Divides what one save is given into what one file takes, and remembers where each record came from."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate

from vonggac.logport import Batch, Positions


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one batch that follow each other."""

    part: str
    first: int  # offset of the first
    number: int  # and its row's number in the store
    appended: datetime
    records: Sequence[bytes]


def portions(batches: Sequence[Batch], taken: Positions, rows: int, size: int, number: int) -> Iterator[list[Run]]:
    """Give what was not taken, in order, at most `rows` records at once and no more after `size` bytes of them.

    Records are numbered through, from `number`.
    """
    runs: list[Run] = []
    left, room = rows, size
    for batch in batches:
        at = max(0, taken.get(batch.part, 0) - batch.first)
        while at < len(batch.records):
            records = batch.records[at:]
            sizes = list(accumulate(map(len, records)))
            count = min(left, bisect_left(sizes, room) + 1, len(records))
            runs.append(Run(batch.part, batch.first + at, number, batch.appended, records[:count]))
            at, number = at + count, number + count
            left, room = left - count, room - sizes[count - 1]
            if left <= 0 or room <= 0:
                yield runs
                runs, left, room = [], rows, size
    if runs:
        yield runs


def size_of(runs: Sequence[Run]) -> int:
    """Give the bytes of all records."""
    return sum(sum(map(len, run.records)) for run in runs)


def divided(runs: Sequence[Run], size: int) -> tuple[list[Run], list[Run]]:
    """Give those of the first `size` bytes, more or less a record, and the rest."""
    first: list[Run] = []
    for n, run in enumerate(runs):
        sizes = list(accumulate(map(len, run.records)))
        if size < sizes[-1]:
            at = bisect_left(sizes, size)
            if at:
                first.append(replace(run, records=run.records[:at]))
            rest = replace(run, first=run.first + at, number=run.number + at, records=run.records[at:])
            return first, [rest, *runs[n + 1 :]]
        first.append(run)
        size -= sizes[-1]
    return first, []
