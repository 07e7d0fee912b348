"""Finding the record on which a task died three times: its batch is tried in halves, in a child that may die.

A task writes what it has in hand on its page (`in_hand`). When it died three times with the same batches in hand, the
supervisor starts it with these as suspects; the task asks the sifter before it touches one of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from vonggac.logport import Batch

_log = logging.getLogger(__name__)

SAMPLE: Final = 4 << 10
#: a batch -> offset and reason of each record that ends the task; empty for what is not suspected
Sifter = Callable[[Batch], Mapping[int, str]]


class Trial(Protocol):
    """Tries records in a child process."""

    def survives(self, records: Sequence[bytes]) -> str:
        """Give "" when the child lived, else how it ended: `SIGSEGV`, `no answer within 60 s`."""
        ...


def in_hand(batches: Sequence[Batch]) -> str:
    """Name batches for the page: `part first`, parted by `;`."""
    return ";".join(f"{batch.part} {batch.first}" for batch in batches)


def suspects(text: str) -> frozenset[tuple[str, int]]:
    """Read what `in_hand` wrote, as far as it was kept."""
    found = set()
    for one in text.split(";"):
        part, _, first = one.rpartition(" ")
        if part and first.isdecimal():
            found.add((part, int(first)))
    return frozenset(found)


def culprits(records: Sequence[bytes], trial: Trial) -> dict[int, str]:
    """Give the index of each record that ends the child by itself, and how.

    Halves are tried until single records are left: about 2·log2(n) trials a culprit. A whole that dies while each half
    lives has no culprit: nothing is given up for it.
    """
    found: dict[int, str] = {}
    todo = [(0, len(records))]
    while todo:
        first, end = todo.pop()
        if first == end:
            continue
        how = trial.survives(records[first:end])
        if not how:
            continue
        if end - first == 1:
            found[first] = how
        else:
            middle = (first + end) // 2
            todo += [(first, middle), (middle, end)]
    return found


def sifter(suspected: frozenset[tuple[str, int]], trial: Trial, task: str) -> Sifter:
    """Make the function that the task asks for each batch."""

    def sift(batch: Batch) -> Mapping[int, str]:
        if (batch.part, batch.first) not in suspected:
            return {}
        _log.warning("%s died three times on %s at offset %d: looking for the record", task, batch.part, batch.first)
        found = {
            batch.first + index: f"it ended the task `{task}` three times ({how}): put aside"
            for index, how in culprits(batch.records, trial).items()
        }
        for offset, how in found.items():
            _log.error("%s: offset %d: %s", batch.part, offset, how)
        return found

    return sift
