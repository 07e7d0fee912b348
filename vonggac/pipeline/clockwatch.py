"""Notices that the machine's clock was set: it is held against one that nobody sets."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

_NOTED: Final = timedelta(seconds=2)  # NTP moves a clock by less, or slowly


class Clockwatch:
    """Compares wall clock and monotonic clock between two looks."""

    def __init__(self) -> None:
        self._before: tuple[datetime, float] | None = None
        self._set = 0

    def look(self, wall: datetime, monotonic: float) -> str:
        """Give the line to say when the clock was set since the last look, else ""."""
        before, self._before = self._before, (wall, monotonic)
        if before is None:
            return ""
        jump = (wall - before[0]) - timedelta(seconds=monotonic - before[1])
        if abs(jump) < _NOTED:
            return ""
        seconds = round(jump.total_seconds())
        self._set += seconds
        if seconds > 0:
            return (
                f"the clock was set forward by {seconds} s: check the time source; what comes in carries the new time"
            )
        return (
            f"the clock was set back by {-seconds} s: check the time source; "
            "append times stand still until the old time is reached"
        )

    def take(self) -> int:
        """Give the seconds that the clock was set forward (< 0: back) since this was asked last."""
        taken, self._set = self._set, 0
        return taken
