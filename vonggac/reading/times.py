"""Times as logs write them, to ISO 8601 in UTC with microseconds: `2026-03-01T02:03:04.000005Z`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def iso(moment: datetime) -> str:
    """Write an aware datetime; raises OverflowError outside the years 1 to 9999."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_epoch(seconds: float | str) -> str:
    """Write seconds since 1970, float or text (text keeps all microseconds); raises ValueError when it is no time."""
    try:
        if isinstance(seconds, str):
            whole, _, part = seconds.strip().partition(".")
            micro = int((part + "000000")[:6])
            sign = -1 if whole.startswith("-") else 1
            return iso(_EPOCH + timedelta(seconds=int(whole), microseconds=sign * micro))
        return iso(_EPOCH + timedelta(microseconds=round(seconds * 1_000_000)))
    except (OverflowError, ValueError) as error:
        msg = f"{str(seconds)[:60]!r} is no time in seconds since 1970"
        raise ValueError(msg) from error


def from_iso(text: str, zone: tzinfo = UTC) -> str:
    """Write an ISO 8601 text (any offset, `Z`, up to nanoseconds, blank for `T`); without an offset it is in `zone`.

    Raises ValueError naming the text.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (OverflowError, ValueError) as error:
        msg = f"{text[:60]!r} is no ISO 8601 time"
        raise ValueError(msg) from error


def millis(text: str) -> int:
    """Give milliseconds since 1970 of a time that `iso` wrote or ISO 8601 in UTC (cut, not rounded)."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo:
    """Give a time zone by its IANA name; raises ValueError when unknown."""
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # ZoneInfoNotFoundError is a KeyError
        msg = f"{name!r} is no time zone; write one like Asia/Ho_Chi_Minh or UTC"
        raise ValueError(msg) from error


def nearest_year(month: int, day: int, hour: int, minute: int, second: int, near: datetime, where: tzinfo) -> datetime:
    """Complete a time without a year (RFC 3164) with the year that brings it nearest to `near`.

    Raises ValueError when no such day exists (29 February needs a leap year within four).
    """
    found: list[datetime] = []
    for year in range(near.year - 4, near.year + 5):
        try:
            found.append(datetime(year, month, day, hour, minute, second, tzinfo=where))
        except ValueError:
            continue
    if not found:
        msg = f"no such day: month {month}, day {day}, {hour:02d}:{minute:02d}:{second:02d}"
        raise ValueError(msg)
    return min(found, key=lambda moment: abs(moment - near))
