"""What topic `health` holds: a measurement a source and slot of ten seconds, and a beat that says we were up.

The beat carries what the service says of itself (`Own`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

TOPIC: Final = "health"
SLOT_S: Final = 10
DOWN_S: Final = 90  # no record for so long: the service was down, and nothing is known of that time
LIMIT: Final = 10_000  # sources that are told apart; above it the rest is counted as `OTHERS`
LONGEST: Final = 200  # characters of a name: host names are at most 255 octets, but whoever sends may write anything


class Source(NamedTuple):
    """Who sends: what is judged as one. `host` is a name, an address, or where the bytes came from (a path)."""

    collector: str
    host: str
    dataset: str = ""
    drill: str = ""  # labels.drill: an exercise's events are never mixed into production figures
    bounded: bool = False  # files read to their end: they say nothing about silence, rate or a clock

    def __str__(self) -> str:
        """Give `syslog pc1 syslog.auth`, for people."""
        return " ".join(part for part in self[:4] if part)


OTHERS: Final = Source("*", "*")


class Shape(msgspec.Struct, frozen=True):
    """Which fields came: of `looked` events looked at, how many had each (`winlog.event_id`, `code:4624`)."""

    looked: int
    names: dict[str, int]


class Measure(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a source sent in a slot. What is left out is nothing: no failures, no time, not bounded."""

    collector: str
    host: str
    slot: str  # ISO 8601 in UTC, the slot's start
    dataset: str = ""
    drill: str = ""
    bounded: bool = False
    unit: str = ""
    seconds: int = SLOT_S
    events: int = 0
    failed: int = 0  # records that could not be read
    beside: int = 0  # readable events of the same listener that count under their own hosts
    newest: str = ""  # event time, the newest of those looked at
    offset_s: float | None = None  # median of received - event time of the newest events; > 0: late, or a slow clock
    shape: Shape | None = None

    @property
    def key(self) -> Source:
        """Say who sent."""
        return Source(self.collector, self.host, self.dataset, self.drill, self.bounded)


class Own(msgspec.Struct, frozen=True, omit_defaults=True):
    """The service's own figures, as of a beat. What is left out is nothing: no drops, no deaths, no damage."""

    disk: float = 1.0  # share that is free, of the fullest disk that state lies on
    full: bool = False  # at its floor: collectors wait
    kept: bool = False  # the disk is short, and all that may be deleted was: what is left is younger than the floor
    lost: dict[str, tuple[int, int]] = {}  # intake: dropped by the kernel, by us, since the beat before
    behind: dict[str, float] = {}  # group: age of the oldest record that it has not passed, s; below a second: left out
    died: dict[str, int] = {}  # role: times that it was started again since the service's start
    damaged: int = 0  # files of the event store that cannot be read
    clock: int = 0  # s that the machine's clock was set forward since the beat before; < 0: back


def line(measure: Measure) -> bytes:
    """Give the record: `{"source": {"collector": …, "host": …}, "slot": …, "events": …}` without the newline."""
    source = _About(
        measure.collector, measure.host, measure.dataset, measure.drill, measure.bounded, measure.unit or ""
    )
    return _encode(
        _Line(
            source=source,
            slot=measure.slot,
            seconds=measure.seconds,
            events=measure.events,
            failed=measure.failed,
            beside=measure.beside,
            newest=measure.newest,
            offset_s=None if measure.offset_s is None else round(measure.offset_s, 1),
            shape=measure.shape,
        )
    )


def beat(slot: str, own: Own | None = None) -> bytes:
    """Give the record that says: we were up in this slot. So time goes on in the log when every source is silent."""
    return _encode(_Line(beat=slot, own=own))


def read(record: bytes) -> Measure | Own | None:
    """Read a record of topic `health`: a measurement, or a beat (None: it says no more). Raises ValueError."""
    found = _decode(record)
    source = found.source
    if source is None:
        if not found.beat:
            msg = f"neither a measurement nor a beat: {record[:80]!r}"
            raise ValueError(msg)
        return found.own
    return Measure(
        source.collector,
        source.host,
        found.slot,
        source.dataset,
        source.drill,
        source.bounded,
        source.unit,
        found.seconds,
        found.events,
        found.failed,
        found.beside,
        found.newest,
        found.offset_s,
        found.shape,
    )


class _About(msgspec.Struct, frozen=True, omit_defaults=True):
    collector: str
    host: str
    dataset: str = ""
    drill: str = ""
    bounded: bool = False
    unit: str = ""


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    source: _About | None = None
    slot: str = ""
    seconds: int = 0
    events: int = 0
    failed: int = 0
    beside: int = 0
    newest: str = ""
    offset_s: float | None = None
    shape: Shape | None = None
    beat: str = ""
    own: Own | None = None


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(_Line).decode
