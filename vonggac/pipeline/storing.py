"""The store task: events, alerts and dead records into the event store, which keeps the position beside them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from vonggac.dead import TOPIC as DEAD
from vonggac.dead import dead_record
from vonggac.event import Bad
from vonggac.logport import Batch, Out, Task
from vonggac.pipeline.sifting import SAMPLE, Sifter, in_hand
from vonggac.pipeline.turning import Life, commit, turns
from vonggac.storeport import EventStore, Stop

_log = logging.getLogger(__name__)

GROUP: Final = "store"
TOPICS: Final = ("events", "alerts", DEAD)
_FLUSH_S: Final = 2.0
_FLUSH: Final = 16 << 20  # bytes of records, whichever comes first
_POLL: Final = 4 << 20
_MERGE_S: Final = 60.0  # between two looks for files to join; while there are some, and nothing waits:
_MORE_S: Final = 5.0
_SEVERAL: Final = 16  # files: fewer small ones wait for others, an hour at the most
_LATE_S: Final = 5.0  # what was saved last is older: behind, files are joined less often
_DROP_S: Final = 3600.0
_TIDY_S: Final = 86_400.0
_EARLY: Final = 0.10  # of the disk free: retention comes early


class House(Protocol):
    """What the embedded store wants done between saves; a store that keeps its own house has none."""

    def merge(self, least: int, stop: Stop) -> int:
        """Join small files into one, `least` of them or enough for a large one; give how many, 0 = there was nothing.

        Takes two seconds, not much more; gives up, as if it had not begun, when `stop` is set.
        """
        ...

    def damaged(self) -> int:
        """Count the files that cannot be read."""
        ...

    def tidy(self) -> None:
        """Remove what a kill left behind in the state folder."""
        ...

    def free_share(self) -> float:
        """Give the share of the disk that is free."""
        ...


class Keeping:
    """How long events stay: `days`, and never less than `floor_days` whatever the disk says."""

    def __init__(self, days: int, floor_days: int) -> None:
        self.keep, self.floor = timedelta(days=days), timedelta(days=floor_days)


class Store:
    """The one store task."""

    def __init__(
        self,
        task: Task,
        store: EventStore,
        life: Life,
        keeping: Keeping,
        clock: Callable[[], datetime],
        house: House | None = None,
        sifter: Sifter | None = None,
    ) -> None:
        self._task, self._store, self._life, self._keeping, self._house = task, store, life, keeping, house
        self._clock, self._sifter = clock, sifter
        self._waiting: list[Batch] = []
        self._size = 0
        self._since = 0.0
        self._merged = self._joined_all = self._dropped = self._tidied = time.monotonic()
        self._more = False  # there may be more to join
        self._late = False

    def run(self) -> None:
        """Save until `stop`; with `drain`, until nothing waits any more."""
        self._task.start()
        if (taken := self._store.taken()) is not None:
            self._task.seek(taken)
        if self._house is not None:
            self._house.tidy()
        self._look_after()
        self._life.ready()
        for batches in turns(self._task, self._life, _POLL, self._patience):
            self._keep(batches)
            self._late = self._late and bool(batches)
            if self._size >= _FLUSH or (self._waiting and time.monotonic() - self._since >= _FLUSH_S):
                self._save()
            if not self._waiting:
                self._house_work()
            self._life.tell()
        if self._waiting:
            self._save()
        self._life.show()
        self._task.close()

    def _patience(self) -> float:
        return max(0.01, min(0.25, _FLUSH_S - (time.monotonic() - self._since))) if self._waiting else 0.25

    def _keep(self, batches: Sequence[Batch]) -> None:
        if batches and not self._waiting:
            self._since = time.monotonic()
        if self._sifter is not None:
            batches = [self._sifted(batch, self._sifter) for batch in batches]
        self._waiting += batches
        self._size += sum(len(record) for batch in batches for record in batch.records)

    def _sifted(self, batch: Batch, sifter: Sifter) -> Batch:
        """Put in the place of each record that ended this task what is said of it."""
        culprits = sifter(batch)
        if not culprits:
            return batch
        records = list(batch.records)
        for offset, how in culprits.items():
            bad = Bad(batch.part, f"offset {offset}", how, records[offset - batch.first][:SAMPLE])
            records[offset - batch.first] = dead_record(bad, task=GROUP, at=batch.appended)
        self._life.count("dead_total", len(culprits))
        return replace(batch, records=records)

    def _save(self) -> None:
        """Save what waits; when the disk does not take it, again and again: nothing is lost, the log keeps it."""
        batches, upto = self._waiting, {batch.part: batch.next for batch in self._waiting}
        self._life.page.work(in_hand(batches))
        said = False
        while True:
            try:
                bads = self._store.save(batches, upto)
            except OSError as error:
                self._life.figures["full"] = 1
                self._life.count("failed_saves_total")
                if not said:
                    _log.error("the store does not take events: %s; again every second, nothing is lost", error)
                    said = True
                self._life.show()
                if self._life.stop.wait(1.0) or self._life.drain.is_set():
                    return
                continue
            break
        self._life.figures["full"] = 0
        for batch in batches:
            self._life.count(f'saved_total{{topic="{batch.topic}"}}', len(batch.records))
        self._life.count("saves_total")
        self._life.count("dead_total", len(bads))
        dead = [self._dead(bad, batches) for bad in bads]
        commit(self._task, self._life, dead, upto, {})
        self._waiting, self._size = [], 0
        self._late = (self._clock() - batches[-1].appended).total_seconds() > _LATE_S
        self._life.page.work("")

    def _dead(self, bad: Bad, batches: Sequence[Batch]) -> Out:
        return Out(DEAD, dead_record(bad, task=GROUP, at=batches[-1].appended))

    def _house_work(self) -> None:
        """Do one short piece of what is due, between a save and the next: nothing waits long for it."""
        now, house = time.monotonic(), self._house
        if self._life.drain.is_set():
            return
        if house is not None and now - self._merged > (_MORE_S if self._more and not self._late else _MERGE_S):
            self._merge(house, now)
        elif now - self._dropped > _DROP_S:
            self._dropped = now
            self.drop()
        elif house is not None and now - self._tidied > _TIDY_S:
            self._tidied = now
            house.tidy()

    def _merge(self, house: House, now: float) -> None:
        least = _SEVERAL
        if now - self._joined_all > _DROP_S:
            self._joined_all, least = now, 2
        try:
            joined = house.merge(least, self._life.drain)
        except OSError as error:
            joined = 0
            _log.error("small files could not be joined: %s", error)
        self._life.count("merged_total", joined)
        self._more = joined > 0
        self._merged = time.monotonic()
        self._look_after()

    def _look_after(self) -> None:
        """Show what the alerts on the service itself are made of."""
        if self._house is not None:
            self._life.figures["damaged_files"] = self._house.damaged()

    def drop(self) -> None:
        """Apply retention: earlier than asked when the disk is short, but never below the floor."""
        keep = self._keeping.keep
        short = self._house is not None and self._house.free_share() < _EARLY
        if short and keep > self._keeping.floor:
            keep = self._keeping.floor
            _log.warning("the disk is short: events are kept %d days only", keep.days)
        try:
            dropped = self._store.drop(self._clock() - keep)
        except (OSError, ValueError) as error:
            _log.error("retention: %s", error)
            return
        if dropped:
            self._life.count("retired_total", dropped)
            _log.info("retention: %d events older than %d days were deleted", dropped, keep.days)
        self._life.figures["retention_short"] = float(short and not dropped)
        if short and not dropped:
            _log.error("the disk is short, and nothing may be deleted before %d days: add disk", keep.days)
