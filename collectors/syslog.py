"""Reads syslog files: RFC 3164, RFC 5424, and rsyslog's lines with ISO times; known bodies are taken apart.

Dataset `linux.syslog`; the vendor's namespace is `syslog` with `procid`, `msgid`, `sd` (structured data), `json`,
`cef`, `kv`. A line without a header is an event too: CEF, a firewall's pairs, the rest of a long message (no time).
Sources: RFC 3164 section 4.1, RFC 5424 section 6, rsyslog's templates RSYSLOG_FileFormat and
RSYSLOG_TraditionalFileFormat.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vonggac.event import Bad, Event, random_ids
from vonggac.ports import Collector, Head, ReadOptions, Source
from vonggac.reading import times
from vonggac.reading.bodies import number, put
from vonggac.reading.clock import Clock
from vonggac.reading.textlog import SAMPLE, TextLog, sample_lines, text_of
from vonggac.reading.unixlogs import explain


def claims(head: Head) -> int:
    """Claim by the share of lines that bear a header; a PRI makes it surer, a version surer still."""
    found = sample_lines(head.data)
    if not found:
        return 0
    hits = [_kind(line) for line in found]
    if 2 * sum(map(bool, hits)) < len(hits):
        return 0
    best = max(hits, key=hits.count)
    return best or 70


def splits(head: Head) -> bool:
    """Say that lines stand alone, so that several workers may share a file."""
    return True


def open(source: Source, options: ReadOptions) -> Collector:
    """Give a collector; raises ValueError when `options.zone` is no time zone."""
    where = times.zone(options.zone)
    return TextLog(source, lambda: _Parser(Clock(where, source.modified)))


def live(zone: str, path: str) -> Callable[[bytes, str, datetime], list[Event | Bad]]:
    """Give what judges the messages of one listener, called `path` by people; raises ValueError for no time zone.

    It is called with a message's bytes, the peer's address and when it was received (aware), and gives its event, with
    a `Bad` that was kept for each oddity. For one thread.
    """
    return _Live(zone, path).judge


class _Live:
    def __init__(self, zone: str, path: str) -> None:
        self._zone, self._path = times.zone(zone), path
        self._ids = random_ids()
        self._around = datetime.min.replace(tzinfo=UTC)
        self._parser = _Parser(Clock(self._zone, self._around))

    def judge(self, message: bytes, peer: str, received: datetime) -> list[Event | Bad]:
        if abs(received - self._around) > _STALE:  # a remembered minute has the year of a year ago
            self._around = received
            self._parser = _Parser(Clock(self._zone, received))
        notes = self._parser.notes
        doc = self._parser.parse(text_of(message, notes), 0)
        doc.setdefault("log", {})["source"] = {"address": peer}
        if "host" not in doc:
            doc["host"] = {"ip": peer}
        if "@timestamp" not in doc:
            doc["@timestamp"] = times.iso(received)
            doc["vonggac"] = {"time_inferred": True, "time_received": True}
        records: list[Event | Bad] = [Event(next(self._ids), doc)]
        if notes:
            place = f"from {peer} at {times.iso(received)}"
            records += [Bad(self._path, place, note, message[:SAMPLE], kept=True) for note in notes]
            notes.clear()
        return records


class _Parser:
    def __init__(self, clock: Clock) -> None:
        self.notes: list[str] = []
        self.anchor: int | None = None
        self._clock = clock

    def parse(self, text: str, offset: int) -> dict[str, Any]:
        """Read one line; the order is: how often each form is seen."""
        if match := _BSD.match(text):
            return self._bsd(text, match)
        if match := _RFC5424.match(text):
            return self._rfc5424(text, match)
        if match := _ISO.match(text):
            return self._iso(text, match)
        if match := _CLUSTER.match(text):
            epoch, host, program, pid, message = match.groups()
            return self._finish(
                _doc(text, times.from_epoch(epoch), host, program, pid, message), None, program, message
            )
        return self._bare(text)

    def _bare(self, text: str) -> dict[str, Any]:
        """Read a line without a header: CEF, a firewall's `date=… time=…`, or the rest of a message of many lines."""
        match = _PRI.match(text)
        pri, message = (match[1], text[match.end() :]) if match else (None, text)
        doc = self._finish(_doc(text, None, None, None, None, message), pri, None, message)
        body = doc.get("syslog", {})
        if match := _FORTIGATE.match(message):
            pairs = body.get("kv", {})
            time = self._clock.numeric(f"{match[1]}T{match[2]}", match[3], None, _offset(pairs.get("tz")))
            if time is not None:
                doc["@timestamp"] = time
                if not _offset(pairs.get("tz")):
                    doc["vonggac"] = {"time_inferred": True}
            put(doc, "host.name", pairs.get("devname"))
        elif (received := number(body.get("cef", {}).get("rt"))) and received < _FAR:
            doc["@timestamp"] = times.from_epoch(f"{received // 1000}.{received % 1000:03d}")
        return doc

    def _bsd(self, text: str, match: re.Match[str]) -> dict[str, Any]:
        pri, minute, second, fraction, host, program, pid, message = match.groups()
        time = self._clock.bsd(minute, second, fraction)
        if time is None:
            self.notes.append(f"{minute}:{second} is no time")
        doc = _doc(text, time, host, program, pid, message)
        if time is not None:
            doc["vonggac"] = {"time_inferred": True}
        return self._finish(doc, pri, program, message)

    def _iso(self, text: str, match: re.Match[str]) -> dict[str, Any]:
        pri, minute, second, fraction, offset, host, program, pid, message = match.groups()
        time = self._clock.numeric(minute, second, fraction, offset)
        if time is None:
            self.notes.append(f"{minute}:{second} is no time")
        doc = _doc(text, time, host, program, pid, message)
        return self._finish(doc, pri, program, message)

    def _rfc5424(self, text: str, match: re.Match[str]) -> dict[str, Any]:
        pri, minute, second, fraction, offset, host, program, procid, msgid = match.groups()
        time = self._clock.numeric(minute, second, fraction, offset) if minute else None
        if minute and time is None:
            self.notes.append(f"{minute}:{second} is no time")
        sd, end = _structured_data(text, match.end())
        message = text[end:].removeprefix(" ").removeprefix("\ufeff")
        host, program = ("" if part == "-" else part for part in (host, program))
        doc = _doc(text, time, host, program, procid, message)
        own: dict[str, Any] = {}
        if procid != "-":
            own["procid"] = procid
        if msgid != "-":
            own["msgid"] = msgid
        if sd:
            own["sd"] = sd
        return self._finish(doc, pri, program, message, own)

    def _finish(
        self, doc: dict[str, Any], pri: str | None, program: str | None, message: str, own: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        if pri is not None:
            doc["log"] = {"syslog": {"priority": int(pri)}}
        body = explain(doc, program or "", message, self.notes)
        if own:
            body |= own
        if body:
            doc["syslog"] = body
        return doc


def _doc(
    text: str, time: str | None, host: str | None, program: str | None, pid: str | None, message: str
) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "event": {"kind": "event", "module": "linux", "dataset": "linux.syslog", "original": text},
        "message": message,
    }
    if time is not None:
        doc["@timestamp"] = time
    if host:
        doc["host"] = {"name": host}
    if program:
        doc["process"] = {"name": program}
        if pid and (whole := number(pid)) is not None:
            doc["process"]["pid"] = whole
    return doc


def _structured_data(text: str, start: int) -> tuple[dict[str, dict[str, Any]], int]:
    r"""Read `[id name="value" …][id2 …]` from `start`; give the elements and where they end. `-` = none.

    In values `\"`, `\\` and `\]` are escaped; a name that stands twice gives a list.
    """
    if text.startswith("-", start):
        return {}, start + 1
    elements: dict[str, dict[str, Any]] = {}
    while match := _SD_ELEMENT.match(text, start):
        element = elements.setdefault(match[1], {})
        for name, quoted in _SD_PARAM.findall(match[2]):
            value = _SD_ESCAPE.sub(r"\1", quoted[1:-1])
            if name not in element:
                element[name] = value
            elif isinstance(element[name], list):
                element[name].append(value)
            else:
                element[name] = [element[name], value]
        start = match.end()
    return elements, start


def _offset(text: str | None) -> str | None:
    """Give FortiGate's `tz="+0700"` if it is an offset."""
    return text if text and _ZONE.fullmatch(text) else None


def _kind(line: str) -> int:
    if _RFC5424.match(line):
        return 92 if line.startswith("<") else 75
    if match := _BSD.match(line):
        return 80 if match[1] else 70
    if (match := _ISO.match(line)) and match[6] and match[7]:
        return 80 if match[1] else 65
    return 70 if _CLUSTER.match(line) or _HEADLESS.match(line) else 0


_MONTH: Final = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_SECONDS: Final = r"([0-5][0-9]|60)(?:\.([0-9]{1,9}))?"
# `web1 sshd[123]: …`; without a host: `dropbear[1252]: …`; without a tag: `fw1 1,TRAFFIC`.
# Programs with blanks in their name (macOS) always bear a pid.
_TAG: Final = (
    r"(?:(\S*[^\s:\]]) )?"
    r"(?:(?!CEF:)((?:[^\s\[\]:]{1,128}|[^\[\]:]{1,48}(?=\[[0-9]+\]:)))(?:\[([^\s\]]{0,32})\])?:(?: |$))?(.*)"
)
_BSD: Final = re.compile(
    rf"(?:<([0-9]{{1,3}})>)?\*?({_MONTH} {{1,2}}[0-9]{{1,2}} (?:[0-9]{{4}} )?[0-9]{{2}}:[0-9]{{2}}):{_SECONDS}"
    rf":? (?:<[0-9]+\.[0-9]+> )?{_TAG}",  # `<4.3>`: facility and level of BSD's syslogd -v
    re.S,
)
_ISO_TIME: Final = rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}):{_SECONDS}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})"
_LEVEL: Final = r"\[?(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRIT|CRITICAL|FATAL)\b"  # a log that is no syslog
_ISO: Final = re.compile(rf"(?:<([0-9]{{1,3}})>)?{_ISO_TIME} (?!{_LEVEL}){_TAG}", re.S)
_RFC5424: Final = re.compile(
    r"(?:[0-9]{1,10} (?=<))?"  # octet counting of RFC 6587
    rf"(?:<([0-9]{{1,3}})>)?1 (?:{_ISO_TIME}|-) (\S+) (\S+) (\S+) (\S+) (?=-|\[)"
)
# `- 1131566461 2005.11.09 dn228 Nov 9 12:01:01 dn228/dn228 crond[2915]: …`: clusters put label, epoch, day, node before
_CLUSTER: Final = re.compile(
    rf"\S{{1,32}} ([0-9]{{10}}) [0-9]{{4}}\.[0-9]{{2}}\.[0-9]{{2}} \S+ {_MONTH} {{1,2}}[0-9]{{1,2}} [0-9:]{{8}} {_TAG}",
    re.S,
)
_PRI: Final = re.compile(r"<([0-9]{1,3})>")
_FORTIGATE: Final = re.compile(r"date=([0-9]{4}-[0-9]{2}-[0-9]{2}) time=([0-9]{2}:[0-9]{2}):([0-5][0-9])")
_HEADLESS: Final = re.compile(r"(?:<[0-9]{1,3}>)?(?:CEF: ?[0-9]\||date=[0-9]{4}-[0-9]{2}-[0-9]{2} time=[0-9]{2}:)")
_ZONE: Final = re.compile(r"[+-][0-9]{4}")
_STALE: Final = timedelta(hours=12)
_FAR: Final = 10**14  # milliseconds: the year 5138
_SD_VALUE: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_SD_ELEMENT: Final = re.compile(rf'\[([^\s=\]"]{{1,64}})((?:\s+[^\s=\]"]{{1,64}}={_SD_VALUE})*)\s?\]', re.S)
_SD_PARAM: Final = re.compile(rf'([^\s=\]"]+)=({_SD_VALUE})', re.S)
_SD_ESCAPE: Final = re.compile(r'\\(["\\\]])')
