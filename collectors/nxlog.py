"""Reads Windows events as flat JSON: what NXLog writes, and the shape of the OTRF (Mordor) recordings.

    {"EventTime": "2026-03-01 08:15:30", "Hostname": "ws01", "EventID": 1, "SourceName": …, "Channel": …, "Image": …}

Namespace `winlog` holds the flat object. NXLog's EventTime names no zone: Sysmon's UtcTime (UTC by definition) is taken
where there is one; else the zone is worked out against `@timestamp` (UTC, set on the way) where the two fit; else it is
the configured one, and the event is marked `vonggac.time_inferred`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from vonggac.event import Event, windows_id
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.jsonlog import Found, read_json, sample_objects
from vonggac.reading.jsonstream import is_ndjson
from vonggac.reading.times import iso, zone
from vonggac.reading.windows import NAMESPACE, document, first_plain, plain


def claims(head: Head) -> int:
    """Claim when most of the first objects hold an EventID, a source or channel, and a computer."""
    found = sample_objects(head.data)
    fitting = sum(map(_fits, found))
    if not found or fitting * 2 < len(found):
        return 0
    return 92 if any("SourceModuleType" in one for one in found) else 85


def splits(head: Head) -> bool:
    """Say that lines stand alone; objects of many lines do not."""
    return is_ndjson(head.data)


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; takes the zone of times that name none."""
    return _NxLog(source, zone(options.zone))


class _NxLog:
    def __init__(self, source: Source, where: tzinfo) -> None:
        self._source = source
        self._zone = where
        self._file = {"path": source.path}

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        return read_json(self._source, mark, self._event)

    def _event(self, found: Found) -> Event:
        flat = found.value
        if "EventID" not in flat and "Message" not in flat:
            msg = "no Windows event: neither EventID nor Message"
            raise ValueError(msg)
        channel, provider = first_plain(flat, _CHANNEL), first_plain(flat, _PROVIDER)
        computer, code = first_plain(flat, _COMPUTER), plain(flat.get("EventID"))
        doc = document(provider, channel, code, flat.get("Level"), flat.get("Keywords"), flat)
        log = doc["log"]
        if "level" not in log and (level := _LEVELS.get(plain(flat.get("Severity")).upper())):
            log["level"] = level
        log["file"], log["offset"] = self._file, found.offset
        if computer:
            doc["host"] = {"name": computer}
        if message := plain(flat.get("Message")):
            doc["message"] = message
        written, when, inferred = self._time(flat)
        if when is not None:
            doc["@timestamp"] = iso(when)
        if inferred:
            doc["vonggac"] = {"time_inferred": True}
        doc["winlog"] = flat
        number = first_plain(flat, _NUMBER)
        if number and written is not None and computer:
            # of the time as it is written, so that the id does not hang on the configured zone
            millis = (written.replace(tzinfo=written.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)
            return Event(windows_id(computer, channel, provider, number, millis), doc, NAMESPACE, found.raw)
        return Event(found.file_id(), doc, NAMESPACE, found.raw)

    def _time(self, flat: dict[str, Any]) -> tuple[datetime | None, datetime | None, bool]:
        """Give the time as written, the same in UTC, and whether the configured zone had to be taken."""
        written = next((time for name in _TIME if (time := _parsed(flat.get(name)))), None)
        if written is None or written.tzinfo is not None:
            return written, written, False
        if utc := _parsed(flat.get("UtcTime")):
            return written, utc.replace(tzinfo=utc.tzinfo or UTC), False
        seen = _parsed(flat.get("@timestamp"))
        if seen is not None and seen.tzinfo is not None:
            ahead = seen - written.replace(tzinfo=UTC)
            offset = round(ahead / _QUARTER) * _QUARTER
            if abs(offset) <= _FARTHEST and abs(ahead - offset) <= _DELAY:
                return written, written.replace(tzinfo=UTC) + offset, False
        return written, written.replace(tzinfo=self._zone), True


def _fits(value: dict[str, Any]) -> bool:
    return "EventID" in value and first_plain(value, _CHANNEL + _PROVIDER) != "" and first_plain(value, _COMPUTER) != ""


def _parsed(value: Any) -> datetime | None:
    """Read `2026-03-01 08:15:30`, ISO 8601, or milliseconds since 1970 (NXLog can write these)."""
    try:
        if isinstance(value, str) and len(value) <= 40:
            when = datetime.fromisoformat(value)
        elif isinstance(value, int) and 1 < value < 1 << 53:  # and not true
            when = _EPOCH + timedelta(milliseconds=value)
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return when if 1601 <= when.year <= 9998 else None  # Windows counts from 1601; a time in any zone at either end


_CHANNEL: Final = ("Channel", "channel", "LogName")
_PROVIDER: Final = ("SourceName", "ProviderName", "Provider", "Source")
_COMPUTER: Final = ("Hostname", "Computer", "ComputerName", "MachineName")
_NUMBER: Final = ("RecordNumber", "EventRecordID", "RecordId", "RecordID")
_TIME: Final = ("EventTime", "TimeCreated", "SystemTime", "@timestamp")
#: NXLog's Severity; what it makes of an audit is no level
_LEVELS: Final = {
    "CRITICAL": "critical",
    "ERROR": "error",
    "WARNING": "warning",
    "INFO": "information",
    "DEBUG": "verbose",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER: Final = timedelta(minutes=15)  # zones differ by whole quarters of an hour
_FARTHEST: Final = timedelta(hours=14)
_DELAY: Final = timedelta(minutes=2)  # between the event and `@timestamp`; more, and the zone is a guess
