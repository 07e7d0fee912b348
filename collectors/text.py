"""Reads any other text log, a line an event: dpkg, apt, Apache's and nginx's error logs, plain lines without a time.

It claims little, so that every collector that knows better comes first: 5 for what looks like a log (by its name, or
by times at the start of its lines). Other text is no log: it goes to YARA as a file. Dataset `linux.text`; a line
without a time has no `@timestamp`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from vonggac.ports import Collector, Head, ReadOptions, Source
from vonggac.reading import times
from vonggac.reading.bodies import address, port, put
from vonggac.reading.clock import Clock
from vonggac.reading.textlog import TextLog, sample_lines


def claims(head: Head) -> int:
    """Claim 5 for what looks like a log, 0 for other text: a web shell is text too, and YARA must see it."""
    found = sample_lines(head.data)
    if not found or sum(map(_strange, found)) > len(found) // 10:
        return 0
    if _NAME.search(head.name):
        return 5
    clock = Clock(UTC, datetime(2026, 1, 1, tzinfo=UTC))
    return 5 if 3 * sum(clock.find(line)[0] is not None for line in found) >= len(found) else 0


def splits(head: Head) -> bool:
    """Say that lines stand alone, so that several workers may share a file."""
    return True


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; raises ValueError when `options.zone` is no time zone."""
    where = times.zone(options.zone)
    return TextLog(source, lambda: _Parser(Clock(where, source.modified)))


class _Parser:
    def __init__(self, clock: Clock) -> None:
        self.notes: list[str] = []
        self.anchor: int | None = None
        self._clock = clock

    def parse(self, text: str, offset: int) -> dict[str, Any]:
        """Read a line: its time, its level, and the client that Apache and nginx name."""
        event = {"kind": "event", "module": "linux", "dataset": "linux.text", "original": text}
        doc: dict[str, Any] = {"event": event, "message": text}
        time, inferred = self._clock.find(text)
        if time is not None:
            doc["@timestamp"] = time
            if inferred:
                doc["vonggac"] = {"time_inferred": True}
        if match := _LEVEL.search(text, 0, 200):
            doc["log"] = {"level": (match[1] or match[2]).lower()}
        if "client" in text and (match := _CLIENT.search(text, 0, 4096)):
            put(doc, "source.ip", address(match[1]))
            put(doc, "source.port", port(match[2]))
        return doc


def _strange(line: str) -> bool:
    """Say whether a line holds what text does not: control characters, bytes that are no UTF-8."""
    return _CONTROL.search(line) is not None


_NAME: Final = re.compile(r"\.(?:log|out|err)(?:[.-][0-9-]+)?$|^(?:syslog|messages|secure|maillog|dmesg|boot\.log)\b")
_CONTROL: Final = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\ufffd]")
_LEVEL: Final = re.compile(
    r"(?<![A-Za-z0-9_/.-])(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRIT|CRITICAL|FATAL|ALERT|EMERG)(?![A-Za-z0-9_/-])"
    r"|\[(?:[\w-]+:)?(debug|info|notice|warn|warning|error|crit|alert|emerg)\]",
    re.ASCII,
)
# Apache: `[client 192.0.2.1:50700]`; nginx: `, client: 192.0.2.1, server:`
_CLIENT: Final = re.compile(
    r"(?:\[client |, client: )"
    r"([0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{1,45})(?::([0-9]{1,5}))?(?=[\],])"
)
