"""Reads any other JSON, lines, objects one after another or arrays: fields under the names they have, in `json`.

It claims 20, so that every collector that knows the shape comes first. The log source is what `--logsource` says, else
unknown ("unrouted"). An object with `event.id` (nested or dotted) keeps that as its identity.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import tzinfo
from typing import Any, Final

from vonggac.event import Event, LogSource, digest
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.reading.jsonlog import Found, read_json, sample_objects
from vonggac.reading.jsonstream import is_ndjson
from vonggac.reading.source import HEAD
from vonggac.reading.times import from_epoch, from_iso, zone


def claims(head: Head) -> int:
    """Claim 20 for anything whose first record is a JSON object, or begins like one and is larger than the head."""
    if sample_objects(head.data, 1):
        return 20
    begins = b"\0" not in head.data[:1024] and _BEGINS.match(head.data)
    return 20 if begins and (len(head.data) >= HEAD or head.name.endswith(_NAMES)) else 0


def splits(head: Head) -> bool:
    """Say that lines stand alone; objects of many lines do not."""
    return is_ndjson(head.data)


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; raises ValueError when `options.zone` is no time zone."""
    return _Json(source, options.logsource, zone(options.zone))


class _Json:
    def __init__(self, source: Source, logsource: LogSource | None, where: tzinfo) -> None:
        self._source, self._zone = source, where
        self._file = {"path": source.path}
        given = logsource._asdict().items() if logsource else ()
        self._logsource = {name: value for name, value in given if value}

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        return read_json(self._source, mark, self._event)

    def _event(self, found: Found) -> Event:
        value = found.value
        doc: dict[str, Any] = {
            "event": {"kind": "event", "module": "json", "dataset": "json.generic"},
            "log": {"file": self._file, "offset": found.offset},
            "json": value,
        }
        if (time := time_of(value, self._zone)) is not None:
            doc["@timestamp"] = time
        if isinstance(message := value.get("message", value.get("msg")), str):
            doc["message"] = message
        if host := host_of(value):
            doc["host"] = {"name": host}
        if self._logsource:
            doc["vonggac"] = {"logsource": self._logsource}
        known = _at(value, "event.id")
        named = known != "" and type(known) in (str, int)
        return Event(digest("json", known) if named else found.file_id(), doc, ("json",), found.raw)


def time_of(value: dict[str, Any], where: tzinfo) -> str | None:
    """Find the time of an object under the usual names; numbers are seconds, ms, µs or ns since 1970 by their size."""
    for name in _TIMES:
        found = _at(value, name)
        if isinstance(found, str) and found:
            try:
                return from_iso(found, where)
            except ValueError:
                found = _number(found)
        if isinstance(found, int | float) and not isinstance(found, bool):
            for limit, unit in _EPOCHS:
                if _EARLIEST * unit <= found < limit:
                    return from_epoch(found / unit)
    return None


def host_of(value: dict[str, Any]) -> str | None:
    """Find the host's name under the usual names."""
    for name in _HOSTS:
        found = _at(value, name)
        if isinstance(found, str) and found:
            return found
    return None


def _number(text: str) -> float | None:
    """Read digits, with a decimal part or without: `1772326923.004`; a date like 20260301 is too small to be a time."""
    return float(text) if len(text) <= 20 and text.replace(".", "", 1).isdecimal() and text.isascii() else None


def _at(value: dict[str, Any], name: str) -> Any:
    """Look a dotted name up: as it is, else nested."""
    if name in value:
        return value[name]
    at: Any = value
    for part in name.split("."):
        if not isinstance(at, dict):
            return None
        at = at.get(part)
    return at


_BEGINS: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[\s*)?\{\s*(?:"|$|\n)')
_NAMES: Final = (".json", ".jsonl", ".ndjson")
_EARLIEST: Final = 631_152_000  # 1990: smaller numbers are counters, not times
#: (below, units a second): 1e11 s is the year 5138, 1e14 ms, 1e17 µs, 1e20 ns likewise
_EPOCHS: Final = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (1e20, 1_000_000_000))
_TIMES: Final = (
    "@timestamp",
    "timestamp",
    "eventTime",
    "EventTime",
    "TimeCreated",
    "TimeGenerated",
    "CreationTime",
    "CreationDate",
    "activityDateTime",
    "createdDateTime",
    "time",
    "_time",
    "ts",
    "published",
    "requestReceivedTimestamp",
    "stageTimestamp",
    "event.created",
    "date",
)
_HOSTS: Final = ("host.name", "hostname", "Hostname", "Computer", "computer_name", "host", "agent.name")
