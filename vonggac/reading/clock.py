"""The times of text logs, to ISO 8601 in UTC; the last minutes are remembered, so most lines cost one look-up."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from vonggac.reading.times import from_epoch, iso, nearest_year

_KEPT: Final = 10_000  # minutes


class Clock:
    """Reads the times of one input. `zone` is of times that name none, `near` completes those without a year.

    The methods take a minute and the seconds apart and give None for what is no time (30 February).
    """

    def __init__(self, zone: tzinfo, near: datetime) -> None:
        self._zone, self._near = zone, near
        self._minutes: dict[tuple[str, str | None], str | None] = {}  # -> "2026-03-01T01:02:"

    def bsd(self, minute: str, second: str, fraction: str | None = None) -> str | None:
        """Read `Mar  1 01:02` (RFC 3164), with a year (`Mar  1 2026 01:02`) or the nearest one."""
        key = (minute, None)
        if key not in self._minutes:
            month, day, *year, clock = minute.split()
            self._keep(key, [year[0] if year else "", _MONTHS.get(month[:3].lower(), "0"), day, *clock.split(":")])
        return _seconds(self._minutes[key], second, fraction)

    def numeric(self, minute: str, second: str, fraction: str | None, offset: str | None) -> str | None:
        """Read `2026-03-01T01:02`, whatever stands between the numbers, and an offset like `+07:00`, `Z`, None."""
        key = (minute, offset)
        if key not in self._minutes:
            self._keep(key, _DIGITS.findall(minute))
        return _seconds(self._minutes[key], second, fraction)

    def named(self, minute: str, second: str, fraction: str | None, offset: str | None) -> str | None:
        """Read `01/Mar/2026:01:02` (the day first, an English month), as web servers write it."""
        key = (minute, offset)
        if key not in self._minutes:
            day, month, year, hour, minutes = _WORDS.findall(minute)
            self._keep(key, [year, _MONTHS.get(month.lower(), "0"), day, hour, minutes])
        return _seconds(self._minutes[key], second, fraction)

    def find(self, text: str) -> tuple[str | None, bool]:
        """Find the time in the first 100 characters of any line; True = its zone or year is an assumption."""
        if found := _NUMERIC.search(text, 0, 100):
            minute, second, fraction, offset = found.groups()
            return self.numeric(minute, second or "00", fraction, offset), offset is None
        if found := _NAMED.search(text, 0, 100):
            minute, second, fraction, offset = found.groups()
            return self.named(minute, second, fraction, offset), offset is None
        if found := _CTIME.search(text, 0, 100):  # Sun Dec 04 04:47:44.123 2005
            month_day, clock, second, fraction, year = found.groups()
            return self.bsd(f"{month_day} {year} {clock}", second, fraction), True
        if found := _BSD.match(text):
            minute, second, fraction = found.groups()
            return self.bsd(minute, second, fraction), True
        if found := _EPOCH.match(text):
            return from_epoch(found[1]), False
        return None, False

    def _keep(self, key: tuple[str, str | None], parts: list[str]) -> None:
        """Remember the start of an ISO time for year, month, day, hour, minute; no year = the nearest."""
        if len(self._minutes) >= _KEPT:
            self._minutes.clear()
        try:
            year, month, day, hour, minute = parts
            where = self._zone if key[1] is None else _offset(key[1])
            numbers = int(month), int(day), int(hour), int(minute)
            if year:
                moment = datetime(int(year), *numbers, tzinfo=where)
            else:
                moment = nearest_year(*numbers, 0, near=self._near, where=where)
            self._minutes[key] = iso(moment)[:17]
        except (ValueError, OverflowError):
            self._minutes[key] = None


def _seconds(minute: str | None, second: str, fraction: str | None) -> str | None:
    if minute is None:
        return None
    if second == "60":  # a leap second: the second before it
        second = "59"
    return f"{minute}{second}.{fraction:0<6.6}Z" if fraction else f"{minute}{second}.000000Z"


def _offset(text: str) -> tzinfo:
    """Read `Z`, `UTC`, `+07:00`, `+0700`, `+07`; raises ValueError above 24 hours."""
    text = text.strip()
    if text in ("Z", "UTC", "GMT"):
        return UTC
    digits = text[1:].replace(":", "")
    away = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-away if text[0] == "-" else away)


_MONTHS: Final = {
    name: str(number)
    for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)  # noqa: SIM905
}
_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_ZONE: Final = r"( ?(?:Z\b|UTC|GMT|[+-]\d\d:?\d\d\b))?"
_DIGITS: Final = re.compile(r"[0-9]+")
_WORDS: Final = re.compile(r"[0-9A-Za-z]+")
# 2026-03-01 01:02:03,123 · 2026/03/01 - 01:02:03 · 2025-06-24  14:36:25 · 2026-03-01T01:02:03.5+07:00
_NUMERIC: Final = re.compile(
    r"(?<![0-9.])([0-9]{4}[-/.][0-9]{2}[-/.][0-9]{2}(?:[T_]|:? {1,2}(?:- )?)[0-9]{1,2}:[0-9]{2})"
    r"(?::([0-5][0-9]|60)(?:[.,]([0-9]{1,9}))?)?" + _ZONE,
    re.ASCII,
)
# 01/Mar/2026:01:02:03 +0700 · 01-Mar-2026 01:02:03.123 · 01 Mar 2026 01:02:03
_NAMED: Final = re.compile(
    rf"(?<![0-9])([0-9]{{1,2}}[-/ ]{_MONTH}[-/ ][0-9]{{4}}[: ][0-9]{{2}}:[0-9]{{2}})"
    r":([0-5][0-9]|60)(?:\.([0-9]{1,9}))?" + _ZONE,
    re.ASCII,
)
_CTIME: Final = re.compile(
    rf"\b({_MONTH} {{1,2}}[0-9]{{1,2}}) ([0-9]{{2}}:[0-9]{{2}}):([0-5][0-9]|60)(?:\.([0-9]{{1,9}}))?"
    r"(?: [A-Z]{3,4})? ([0-9]{4})\b",
    re.ASCII,
)
_BSD: Final = re.compile(
    rf"({_MONTH} {{1,2}}[0-9]{{1,2}} (?:[0-9]{{4}} )?[0-9]{{2}}:[0-9]{{2}}):([0-5][0-9]|60)(?:\.([0-9]{{1,9}}))?",
    re.ASCII,
)
# 1066036250.129 … (squid) · - 1131566461 2005.11.09 … (clusters)
_EPOCH: Final = re.compile(r"(?:- )?([0-9]{10}(?:\.[0-9]{1,6})?) ", re.ASCII)
