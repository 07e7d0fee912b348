"""Times as logs write them, to ISO 8601 in UTC with microseconds: `2026-03-01T02:03:04.000005Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BETWEEN: Final = ("", "T", "t", " ")  # date and time
_USUAL: Final = re.compile(r"([0-9-]{10}T[0-9:]{8})(?:\.([0-9]{1,6}))?(Z|[+-][0-9]{2}:?[0-9]{2}|)")
_DIGITS: Final = 15  # of seconds: more are beyond the year 9999 by far


def iso(moment: datetime) -> str:
    """Write an aware datetime; raises OverflowError outside the years 1 to 9999."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_epoch(seconds: float | str) -> str:
    """Write seconds since 1970, float or text (text keeps all microseconds); raises ValueError when it is no time."""
    if isinstance(seconds, str):
        whole, _, part = seconds.strip().partition(".")
        if not (whole.removeprefix("-") + part).isdecimal() or not seconds.isascii() or len(whole) > _DIGITS:
            raise _no_epoch(seconds)
        second, micro = int(whole or 0), int((part + "000000")[:6])
        if whole.startswith("-") and micro:
            second, micro = second - 1, 1_000_000 - micro
    else:
        try:
            second, micro = divmod(round(seconds * 1_000_000), 1_000_000)
        except (OverflowError, ValueError):  # infinity, NaN
            raise _no_epoch(seconds) from None
    try:
        return f"{_second(second)}.{micro:06d}Z"
    except OverflowError:
        raise _no_epoch(seconds) from None


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Write a whole second; the events of a log share many of them."""
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def _no_epoch(seconds: float | str) -> ValueError:
    return ValueError(f"{str(seconds)[:60]!r} is no time in seconds since 1970")


def from_iso(text: str, zone: tzinfo = UTC) -> str:
    """Write an ISO 8601 text (any offset, `Z`, up to nanoseconds, blank for `T`); without an offset it is in `zone`.

    A date alone has dashes: eight digits are a number. Raises ValueError naming the text.
    """
    text = text.strip()
    # the form of most logs: a second's text is remembered, which makes it 0.5 µs instead of 1.8
    if usual := _USUAL.fullmatch(text):
        return f"{_whole(usual[1], usual[3], zone)}.{usual[2] or '':0<6}Z"
    try:
        if text[10:11] not in _BETWEEN if text[4:5] == "-" else text[8:9] not in _BETWEEN[1:]:
            raise _no_iso(text)  # fromisoformat takes any sign for the T: 1712061512345 is the year 1712 to it
        moment = datetime.fromisoformat(text)
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (OverflowError, ValueError):
        raise _no_iso(text) from None


@lru_cache(maxsize=4096)
def _whole(text: str, offset: str, zone: tzinfo) -> str:
    """Write a whole second in UTC; raises ValueError when it is none."""
    try:
        moment = datetime.fromisoformat(text + offset)
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=zone))[:19]
    except (OverflowError, ValueError):
        raise _no_iso(text + offset) from None


def _no_iso(text: str) -> ValueError:
    return ValueError(f"{text[:60]!r} is no ISO 8601 time")


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

    A log line is no younger than its file: what would lie more than a day ahead of `near` is of the year before, or
    every line of March in a file of November would be of the next year. Raises ValueError when no such day exists
    (29 February needs a leap year within four).
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
    past = [moment for moment in found if moment - near <= timedelta(days=1)]
    return min(past or found, key=lambda moment: abs(moment - near))
