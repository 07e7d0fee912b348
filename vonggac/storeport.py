"""The port of the event store: what the store task and those who ask may ask of it, and what it does not promise.

The store task turns: `taken` once at start (and `Task.seek` there), then `save` every 2 s or 16 MiB, whichever comes
first, and only then `Task.commit`. Alerts are events too (`event.kind` is `alert`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vonggac.event import Bad
from vonggac.logport import Batch, Positions
from vonggac.query import Query


@dataclass(frozen=True, slots=True)
class Page:
    """One answer."""

    rows: tuple[bytes, ...]  # one line of JSON an event, in the query's order
    next: str | None = None  # for `Query.after`; None: these were the last
    count: int | None = None  # when asked for
    terms: tuple[tuple[str, int], ...] = ()  # folded value, events
    histogram: tuple[tuple[datetime, int], ...] = ()  # start of the bucket (UTC), events; empty buckets are left out
    missing: tuple[str, ...] = ()  # what could not be read, a line each: how many events of which span, and why


class Stop(Protocol):
    """How who asks says that nobody waits for the answer any more; a `threading.Event` is one."""

    def is_set(self) -> bool:
        """Say whether to stop. Called from another thread, some 20 times a second."""
        ...


class Stopped(Exception):
    """The one who asked did not want the answer any more."""


class TooSlow(Exception):
    """The answer was not there within the limit: ask for less time or fewer fields."""


class TooMuch(Exception):
    """The answer does not fit into the memory that queries have: ask for less."""


class Failed(Exception):
    """The engine could not answer, by no fault of the question's; the message is one line for a person."""


class EventStore(Protocol):
    """Events and alerts, searchable until they are dropped."""

    def taken(self) -> Positions | None:
        """Give the positions that were saved with the events; None: the log keeps them. Called once, at start."""
        ...

    def save(self, batches: Sequence[Batch], upto: Positions) -> Sequence[Bad]:
        """Save the batches and move the positions, both or neither; durable on return, searchable 5 s later at most.

        Called by the one store task. What was saved before (an offset below `taken`) is left out, so that a repeated
        call changes nothing. Gives what no event could be made of; those are passed as well, the caller owes them to
        topic `dead`. Raises OSError when the disk does not take it: wait and save the same again.
        Not promised: that a call which did not return has saved nothing, or that ids are unique.
        """
        ...

    def search(self, query: Query, units: frozenset[str], limit_s: float, stop: Stop) -> Page:
        """Answer, over the events of these units only (an event without one is of unit ""). No units: no rows.

        May be called while another process saves. Raises TooSlow after about `limit_s`, Stopped soon after
        `stop.is_set()`, TooMuch, Failed, and ValueError for a cursor that is none. Events that cannot be read (a
        damaged file) raise nothing: the rest answers, and `Page.missing` says so. Not promised: that pages of one query
        see the same events; what was saved between them may appear, nothing is given twice.
        """
        ...

    def drop(self, before: datetime) -> int:
        """Delete events appended before this moment, as whole pieces that are all older; give how many.

        Called daily. What a legal hold covers stays. Raises ValueError when `before` breaks the retention floor.
        Not promised: that all that old is gone; nor that the disk is free at once.
        """
        ...
