"""What every source sent, counted where it comes in: the measurements that source health is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from vonggac.event import Event


class Tally:
    """Counts by source (collector, host, dataset). `seen` from any thread, `take` from the collect task's."""

    def seen(
        self, collector: str, source: str, events: Sequence[Event], failed: int, received: datetime, *, bounded: bool
    ) -> None:
        """Count a delivery: its events, what could not be read, and how far the events' clocks are from `received`."""

    def take(self, now: datetime) -> Sequence[bytes]:
        """Give the records for topic `health` that are due, one JSON line each; called every second or so."""
        return ()
