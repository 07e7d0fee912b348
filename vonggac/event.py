"""The nouns everyone shares: Event, Alert, Match, Bad; their JSON, their identity, and how text is folded."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
import orjson

ECS_VERSION: Final = "9.1.0"
LEVELS: Final = ("informational", "low", "medium", "high", "critical")
#: event.severity of an alert, by level (0-100, the bands of Elastic's risk scores)
SEVERITY: Final = {"informational": 10, "low": 21, "medium": 47, "high": 73, "critical": 99}


class LogSource(NamedTuple):
    """Sigma's log source: where a rule looks, and what an event is. None = any (in a rule)."""

    product: str | None = None
    category: str | None = None
    service: str | None = None

    def holds(self, other: LogSource) -> bool:
        """Say whether an event of log source `other` lies inside this one."""
        return all(mine is None or mine == its for mine, its in zip(self, other, strict=True))

    def __str__(self) -> str:
        """Give `product=windows,category=process_creation`, the form that `--logsource` takes."""
        pairs = zip(self._fields, self, strict=True)
        return ",".join(f"{name}={value}" for name, value in pairs if value)


# A Struct, not a dataclass: the hot path makes one an event, and a frozen dataclass costs 1.1 µs more to make (of 17
# for a record of EVTX); gc=False: an event never holds itself.
class Event(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened.

    `doc` is nested ECS; the vendor's own object stands in it, unchanged, under its namespace
    (`winlog`, `zeek`, `suricata.eve` …). `raw` is that object as it came, if the collector has it:
    `to_json` splices it in at `namespace` instead of encoding it again.
    """

    id: str
    doc: dict[str, Any]
    namespace: tuple[str, ...] = ()
    raw: bytes | str | None = None

    def to_json(self) -> bytes:
        """Give one line of nested ECS, without the newline."""
        doc = dict(self.doc)
        doc["event"] = {**doc.get("event", {}), "id": self.id}
        doc["ecs"] = {"version": ECS_VERSION}
        if self.raw is not None:
            _put(doc, self.namespace, orjson.Fragment(self.raw))
        try:
            return orjson.dumps(doc)  # 1 µs of 2.4 KB sooner than with the option
        except TypeError:  # a key that is no text
            return orjson.dumps(doc, option=_DUMP)

    @classmethod
    def from_json(cls, line: bytes) -> Event:
        """Read what `to_json` wrote; raises ValueError when it is not an event."""
        doc = orjson.loads(line)
        try:
            return cls(id=doc["event"]["id"], doc=doc)
        except (KeyError, TypeError) as error:
            msg = f"not an event: no event.id in {line[:80]!r}"
            raise ValueError(msg) from error

    @property
    def time(self) -> str | None:
        """ISO 8601 in UTC, or None when the source gave no time."""
        value: str | None = self.doc.get("@timestamp")
        return value


@dataclass(frozen=True, slots=True)
class Bad:
    """What could not be read, or only in part: which file, where in it, why. It is counted and kept.

    `place` is a human's address (`offset 1234`, `chunk 3, record 17`); `sample` at most 4 KiB of the bytes.
    `kept` says that the record was nevertheless judged as an event (a doubled key, invalid UTF-8).
    """

    path: str
    place: str
    reason: str
    sample: bytes = b""
    kept: bool = False

    def __str__(self) -> str:
        """Give the one line that a person reads."""
        return f"{self.path}: {self.place}: {self.reason}" if self.place else f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True)
class RuleRef:
    """What an alert says of its rule. `version` is the digest of the rule's text."""

    id: str
    name: str
    level: str
    ruleset: str
    version: str
    techniques: tuple[str, ...] = ()  # ATT&CK ids: "T1059.001"
    tactics: tuple[str, ...] = ()  # "TA0002"


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule fired on an event. The id is a hash of rule and event, and of nothing that may change."""

    rule: RuleRef
    event: Event
    matched: dict[str, Any] = field(default_factory=dict)  # the rule's field name -> the event's value
    unrouted: bool = False

    @property
    def id(self) -> str:
        """Give the stable id: equal on each run, for any number of workers."""
        return digest("alert", self.rule.id, self.event.id)

    def to_json(self, ingested: str | None = None) -> bytes:
        """Give one alert line (shape: docs/alerts.md); `ingested` is ISO 8601."""
        doc = self.event.doc
        about: dict[str, Any] = {
            "kind": "alert",
            "id": self.id,
            "severity": SEVERITY[self.rule.level],
        }
        if ingested:
            about["ingested"] = ingested
        for name in ("module", "dataset", "code", "action"):
            if (value := doc.get("event", {}).get(name)) is not None:
                about[name] = value
        own: dict[str, Any] = {**doc.get("vonggac", {})}
        own["events"] = [self.event.id]
        own["matched"] = self.matched
        if self.unrouted:
            own["unrouted"] = True
        out: dict[str, Any] = {"@timestamp": self.event.time, "event": about}
        out["rule"] = {
            "id": self.rule.id,
            "name": self.rule.name,
            "level": self.rule.level,
            "ruleset": self.rule.ruleset,
            "version": self.rule.version,
        }
        out["threat"] = {
            "technique": [{"id": one} for one in self.rule.techniques],
            "tactic": [{"id": one} for one in self.rule.tactics],
        }
        for name in _CARRIED:
            if (value := doc.get(name)) is not None:
                out[name] = value
        out["vonggac"] = own
        out["ecs"] = {"version": ECS_VERSION}
        return orjson.dumps(out, option=_DUMP)


@dataclass(frozen=True, slots=True)
class Match:
    """A base rule of a correlation fired: what the correlate task remembers of it."""

    rule: str
    event: str
    time: str | None
    fields: dict[str, Any]


# ------------------------------------------------------------------ identity


def digest(*parts: str | bytes | int) -> str:
    """Give 32 hex digits over the parts; their lengths are hashed too, so ("ab", "c") differs from ("a", "bc").

    Golden vectors in the tests pin it: an id must never change between versions.
    """
    plain = [part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass") for part in parts]
    sizes = ",".join(map(str, map(len, plain)))
    return hashlib.blake2b(b"".join((sizes.encode(), b":", *plain)), digest_size=16).hexdigest()


def windows_id(computer: str, channel: str, provider: str, record: int | str, time_ms: int) -> str:
    """Identify a Windows event: the same in EVTX, in its JSON twin and from a shipper."""
    # digest("windows", …) written out for ASCII, where characters are bytes, and what hardly varies remembered: it runs
    # once an event, and so costs 1.2 µs, not 3
    key = (computer, channel, provider)
    known = _known.get(key)
    if known is None:
        names = f"{computer}{channel}{provider}"
        if not names.isascii() or len(names) > 1_000:
            return digest("windows", computer, channel, provider, record, time_ms)
        if len(_known) >= 1_000:
            _known.clear()
        known = _known[key] = (f"7,{len(computer)},{len(channel)},{len(provider)},", f":windows{names}")
    number, time = str(record), str(time_ms)
    text = f"{known[0]}{len(number)},{len(time)}{known[1]}{number}{time}"
    if text.isascii():
        return _blake2b(text.encode(), digest_size=16).hexdigest()
    return digest("windows", computer, channel, provider, record, time_ms)


_blake2b = hashlib.blake2b
_known: dict[tuple[str, str, str], tuple[str, str]] = {}


def file_id(first_line: bytes, offset: int, record: bytes) -> str:
    """Identify a record of a file by its first whole line, the record's place and its bytes, never by the path.

    `first_line` is `head_digest(…)` of that line; `offset` counts in the decompressed stream.
    """
    place = b"%d" % offset
    # digest("file", first_line, offset, record) written out: it runs once a line, and so costs half
    sizes = b"4,%d,%d,%d:file" % (len(first_line), len(place), len(record))
    return hashlib.blake2b(b"".join((sizes, first_line, place, record)), digest_size=16).hexdigest()


def random_ids() -> Iterator[str]:
    """Yield ids for records of a socket, which have nothing of their own to be identified by; for one thread."""
    while True:
        some = os.urandom(16 * 256).hex()
        for at in range(0, len(some), 32):
            yield some[at : at + 32]


def head_digest(first_line: bytes) -> bytes:
    """Digest a file's first whole line (without its newline), once a file, for `file_id`."""
    return hashlib.blake2b(first_line, digest_size=16).digest()


# ---------------------------------------------------------------------- text


def fold(text: str) -> str:
    """Fold letter case for comparing: ASCII lower; else NFC, then simple one-to-one folding.

    İ and ß stay, ſ and the Kelvin sign fold. Lengths never change after NFC. Used by rules, keys and queries alike.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text).translate(_FOLDED)


FOLD_VERSION: Final = f"1/{unicodedata.unidata_version}"


class _Folding(dict[int, int]):
    """CaseFolding.txt's C and S rows, computed a character at a time and remembered."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        folded = char.casefold()
        if len(folded) != 1:  # an F row ("ß" -> "ss"): take the S row if there is one
            folded = char.lower()
        self[code] = ord(folded) if len(folded) == 1 else code
        return self[code]


_FOLDED = _Folding()

# -------------------------------------------------------------------- tables

_DUMP = orjson.OPT_NON_STR_KEYS
#: what an alert repeats of its event, so that it can be read alone
_CARRIED = (
    "log",
    "host",
    "user",
    "process",
    "source",
    "destination",
    "file",
    "url",
    "dns",
    "http",
    "labels",
    "message",
)

#: The ECS fields that a collector fills when its source has them; all else stays under the vendor's namespace.
FIELDS: Final = (
    "@timestamp",
    "message",
    "event.kind",
    "event.module",
    "event.dataset",
    "event.code",
    "event.action",
    "event.category",
    "event.outcome",
    "event.provider",
    "event.original",
    "event.created",
    "event.duration",
    "log.level",
    "log.file.path",
    "log.offset",
    "log.source.address",
    "log.syslog.priority",
    "host.name",
    "host.ip",
    "user.name",
    "user.domain",
    "user.id",
    "process.name",
    "process.executable",
    "process.command_line",
    "process.pid",
    "process.parent.executable",
    "process.parent.command_line",
    "process.parent.pid",
    "file.path",
    "file.name",
    "file.size",
    "file.hash.md5",
    "file.hash.sha1",
    "file.hash.sha256",
    "source.ip",
    "source.port",
    "source.bytes",
    "destination.ip",
    "destination.port",
    "destination.bytes",
    "destination.domain",
    "network.transport",
    "network.protocol",
    "network.community_id",
    "dns.question.name",
    "dns.question.type",
    "dns.response_code",
    "http.request.method",
    "http.request.referrer",
    "http.response.status_code",
    "http.response.bytes",
    "http.version",
    "url.original",
    "url.path",
    "url.query",
    "url.domain",
    "user_agent.original",
    "tls.server_name",
    "tls.version",
    "cloud.account.id",
    "cloud.region",
    "labels.drill",
)


def _put(doc: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set doc[a][b]… to value, copying the dicts on the way (doc itself is already a copy)."""
    for name in path[:-1]:
        doc[name] = {**doc.get(name, {})}
        doc = doc[name]
    doc[path[-1]] = value
