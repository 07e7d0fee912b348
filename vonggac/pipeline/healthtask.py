"""The health task: folds the measurements of sources; alerts go to the log, memory and day rows into the ledger.

Memory and position are saved together, in the ledger. What the log has committed beyond them was said already: it is
folded again after a death, with its alerts held back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from vonggac.dead import TOPIC as DEAD
from vonggac.dead import dead_record
from vonggac.event import Bad
from vonggac.logport import Batch, Out, Part, Positions, Task
from vonggac.pipeline.turning import Life, commit, turns

_log = logging.getLogger(__name__)

GROUP: Final = "health"
TOPIC: Final = "health"
_SAVE_S: Final = 60.0


class Fold(Protocol):
    """What remembers: pure, its only clock is the append time."""

    def feed(self, records: Sequence[bytes], appended: datetime) -> Iterable[bytes]:
        """Take records and give alerts."""
        ...

    @property
    def unread(self) -> int:
        """Say how many records were no measurement."""
        ...

    def take_days(self) -> Sequence[Any]:
        """Give the rows of days that are over."""
        ...

    def snapshot(self) -> bytes:
        """Give the memory."""
        ...

    def restore(self, state: bytes) -> None:
        """Go on from a memory; raises ValueError."""
        ...


class Ledger(Protocol):
    """Where memory, position and rows are kept, in one transaction."""

    def load(self) -> tuple[bytes, Positions] | None:
        """Give what was saved last."""
        ...

    def save(self, snapshot: bytes, positions: Positions, rows: Sequence[Any]) -> Sequence[Bad]:
        """Save all of it, or nothing; give the rows that contradict one that stands, which stays. Raises OSError."""
        ...


class Health:
    """The one health task."""

    def __init__(self, task: Task, fold: Fold, ledger: Ledger, life: Life) -> None:
        self._task, self._fold, self._ledger, self._life = task, fold, ledger, life
        self._at: dict[Part, int] = {}
        self._said: Mapping[Part, int] = {}
        self._changed = False
        self._appended: datetime | None = None  # of the newest batch

    def run(self) -> None:
        """Fold until `stop`; with `drain`, until nothing waits any more."""
        self._said = dict(self._task.start())
        loaded = self._ledger.load()
        if loaded is not None:
            self._fold.restore(loaded[0])
            self._at = dict(loaded[1])
            self._task.seek(self._at)
        saved = -_SAVE_S  # the first soon, so that people see something
        for batches in turns(self._task, self._life, 1 << 20):
            for batch in batches:
                self._batch(batch)
            if self._changed and time.monotonic() - saved > _SAVE_S:
                saved = time.monotonic()
                self._save()
        if self._changed:
            self._save()
        self._task.close()

    def _batch(self, batch: Batch) -> None:
        if batch.next <= self._at.get(batch.part, 0):
            return
        alerts = list(self._fold.feed(batch.records, batch.appended))
        self._life.figures["health_unread"] = self._fold.unread
        self._at[batch.part] = batch.next
        self._appended = max(self._appended or batch.appended, batch.appended)
        self._changed = True
        if batch.next <= self._said.get(batch.part, 0):
            return  # told before the death
        outs = [Out("alerts", alert) for alert in alerts]
        self._life.count("health_alerts_total", len(outs))
        if outs:
            commit(self._task, self._life, outs, {batch.part: batch.next}, {})

    def _save(self) -> None:
        """Save the memory, then let the log forget what it stands for."""
        rows = self._fold.take_days()
        try:
            refused = self._ledger.save(self._fold.snapshot(), self._at, rows)
        except OSError as error:
            _log.error("source health: not saved: %s; again in a minute", error)
            return
        self._changed = False
        at = self._appended
        dead = [Out(DEAD, dead_record(bad, task=GROUP, at=at)) for bad in refused if at is not None]
        self._life.count("dead_total", len(dead))
        mine = {part: at for part, at in self._at.items() if at > self._said.get(part, 0)}
        commit(self._task, self._life, dead, mine, {})
