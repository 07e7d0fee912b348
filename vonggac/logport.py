"""The port of the event log: what a task may ask of it, when, and what it does not promise. No implementation.

One turn of a task, the same for every adapter:

1. `EventLog.join` names the work (group, topics, worker of workers); nothing is taken yet.
2. `Task.start` takes it and says where to go on. Whoever had it before is fenced.
3. `Task.poll` gives batches, `Task.commit` makes their effect and the position past them durable, in one piece.
4. `Task.close` lets go. A task that dies without it loses nothing but what it had not committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NewType, Protocol

import msgspec

#: Where order holds: `events/3` in Kafka, `events/collect-0.<journal's id>/3` embedded. Begins with its topic and a
#: slash; the rest is the adapter's own. The id in it is what makes a position of a replaced journal recognisable.
Part = NewType("Part", str)

#: The next offset to read, a Part. Offsets of two Parts mean nothing to each other.
Positions = Mapping[Part, int]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit put into one Part: never split, never merged, never empty."""

    part: Part
    first: int  # offset of the first record
    next: int  # the position after the batch: what to give to `commit`
    appended: datetime  # aware UTC; the writer's clock, never falling: the only clock that code with memory may read
    records: Sequence[bytes]

    @property
    def topic(self) -> str:
        """The topic that the Part is of."""
        return self.part.partition("/")[0]


# A Struct, not a dataclass: one is made a record, and a frozen dataclass costs 0.4 of the 2.9 µs of a record committed
class Out(msgspec.Struct, frozen=True, gc=False):
    """One record on its way into the log: one line of JSON, without the newline."""

    topic: str
    record: bytes
    key: bytes | None = None  # equal keys of one task share a Part, in order; None = wherever there is room


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is in one Part."""

    first: int  # the oldest offset that is still there
    end: int  # the offset that the next record will get
    committed: int  # the group's position; `first` when it never committed one
    oldest_s: float | None  # age of the oldest record not yet committed, seconds; None = nothing is waiting


class Moved(Exception):
    """The work was dealt anew: forget all memory of it and call `start`. The embedded log never raises it."""


class Gap(Exception):
    """Records of a Part that this task should have had are not there. Reading goes on after them.

    Raised once, by `poll`, between the batches before and after it; again only after a restart that had committed
    nothing past it. `lost` is exact, or None where nobody can know.
    """

    def __init__(self, part: Part, lost: int | None, why: str) -> None:
        super().__init__(f"{part}: {'an unknown number of' if lost is None else lost} records lost: {why}")
        self.part = part
        self.lost = lost
        self.why = why


class Fenced(Exception):
    """Another owner of the same work has started: stop. Nothing was written."""


class Full(Exception):
    """The disk is at its floor: wait and commit the same again. Nothing was written, nothing is lost."""


class TooBig(Exception):
    """`outs[index]` does not fit: above `limit` by itself (`alone`), else commit outs[:index] first.

    Nothing was written.
    """

    def __init__(self, index: int, size: int, limit: int, *, alone: bool) -> None:
        super().__init__(f"record {index}: {size} bytes, at most {limit} {'a record' if alone else 'a commit'}")
        self.index = index
        self.size = size
        self.limit = limit
        self.alone = alone


class SyncFailed(Exception):
    """The disk did not take what was written, and may have forgotten it: nobody catches this, the process ends.

    Trying again would be told "done" by a kernel that has dropped the pages. What the commit held is read back from
    the disk at the next start: it is there whole or not at all.
    """


class Task(Protocol):
    """One owner of one piece of work, used from one thread."""

    def start(self) -> Positions:
        """Take the work, fence whoever had it, and give the positions committed last, for the Parts known so far.

        Called once after `join` and after every `Moved`. A Part without a committed position begins at its first
        record. Not promised: that the former owner has noticed; only that it commits nothing any more.
        """
        ...

    def marks(self) -> Mapping[str, bytes]:
        """Give the marks (collector cursors, names of snapshots) as committed last. Called after `start`."""
        ...

    def seek(self, at: Positions) -> None:
        """Read on from these positions; Parts that are not named stay. Called between `start` and the first `poll`.

        For owners that keep the position beside their effect (the store). A position inside a batch gives the whole
        batch. A position beyond the end is told by a Gap, and reading goes on at the end. A Part that is not there any
        more is told by a Gap with `lost` None.
        """
        ...

    def poll(self, wait_s: float, max_bytes: int) -> Sequence[Batch]:
        """Give what comes next, durable and committed only; [] when nothing came within `wait_s`.

        Ends at about `max_bytes` of records, but never inside a batch, and never gives less than one batch if there is
        one. Raises Moved, and Gap once for each loss. Not promised: an order between Parts.
        """
        ...

    def commit(self, outs: Iterable[Out], upto: Positions, marks: Mapping[str, bytes]) -> None:
        """Write records, positions and marks, all or nothing; durable when it returns. Called after every effect.

        `upto` and `marks` hold what changes; an empty mark forgets its name. No outs means "needed no longer". Raises
        Fenced (stop), Full (wait and repeat), TooBig (split, or give the record to `dead`), SyncFailed (end), and
        ValueError for what is a mistake of the caller: a record with a newline, a position that was not read.
        Not promised: that a commit which did not return is not there.
        """
        ...

    def close(self) -> None:
        """Let go; what was not committed is given to the next owner. May be called twice."""
        ...


class EventLog(Protocol):
    """Topics of records, kept until every required group has passed them."""

    def join(self, group: str, topics: Sequence[str], worker: int, workers: int, *, rules: str = "") -> Task:
        """Name a piece of work: share `worker` (from 0) of `workers`. topics=() is a collector: it only writes.

        `rules` is the rule set's digest, written into each commit: a process knows one in its life. Touches nothing.
        A start with another number of workers fences every worker of the former number.
        """
        ...

    def tail(self, topics: Sequence[str], since: datetime | None, wait_s: float | None = None) -> Iterator[Batch]:
        """Read along without a group: it holds nothing back and is told of no loss.

        From append time `since` on, or None: from now on. Ends when nothing came for `wait_s` seconds; None = never.
        """
        ...

    def lag(self, group: str) -> Mapping[Part, Lag]:
        """Say how far the group is, for each Part of the topics it joined with last. For people and metrics."""
        ...

    def room(self) -> int:
        """Give the bytes until the floor; collectors stop reading at 0. Not promised: that all of it can be used."""
        ...
