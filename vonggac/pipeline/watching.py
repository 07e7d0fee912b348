"""The terminal task: shows every alert; its position is committed after that, so it may repeat, never omit."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from vonggac.logport import Batch, Task
from vonggac.pipeline.turning import Life, commit, turns

_log = logging.getLogger(__name__)

GROUP: Final = "terminal"


class Watch:
    """Reads along the alerts. Without `show` it only keeps its place."""

    def __init__(self, task: Task, life: Life, show: Callable[[bytes], None] | None) -> None:
        self._task, self._life, self._show = task, life, show

    def run(self) -> None:
        """Show until `stop`; with `drain`, until nothing waits any more."""
        self._task.start()
        for batches in turns(self._task, self._life, 1 << 20):
            for batch in batches:
                self._batch(batch)
        self._task.close()

    def _batch(self, batch: Batch) -> None:
        if self._show is not None:
            for record in batch.records:
                try:
                    self._show(record)
                except ValueError as error:
                    _log.error("%s: an alert that cannot be shown: %s", batch.part, error)
        self._life.count("shown_total", len(batch.records))
        commit(self._task, self._life, [], {batch.part: batch.next}, {})
