"""What tests import: sources and events made by hand, and the contract tests of each port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from vonggac.event import FIELDS, Bad, Event, digest
from vonggac.ports import CollectorModule, Head, ReadOptions, Source
from vonggac.reading.source import HEAD, of_bytes

#: The one "now" of the tests: file times, and so the years of RFC 3164.
NOW: Final = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def source_of(data: bytes, name: str = "sample.log", modified: datetime = NOW) -> Source:
    """Make an input out of bytes."""
    return of_bytes(data, name, modified, Path(name).name.lower())


def source_of_file(path: Path) -> Source:
    """Make an input out of a plain file."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    return Source(
        path=str(path),
        head=Head(path.name.lower(), head),
        size=path.stat().st_size,
        modified=NOW,
        open=lambda: path.open("rb"),
        seekable=lambda: path.open("rb"),
    )


def make_event(doc: Mapping[str, Any] | None = None, **fields: Any) -> Event:
    """Make an event; `event__module="zeek"` sets doc["event"]["module"]."""
    made: dict[str, Any] = {"@timestamp": "2026-03-01T01:02:03.000000Z", **(doc or {})}
    for name, value in fields.items():
        *path, last = name.split("__")
        place = made
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return Event(id=digest("test", repr(made)), doc=made)


def read_all(
    module: CollectorModule, source: Source, options: ReadOptions | None = None, mark: bytes | None = None
) -> list[Event | Bad]:
    """Read an input to its end."""
    batches = module.open(source, options or ReadOptions()).read(mark)
    return [record for records, _ in batches for record in records]


def events_of(module: CollectorModule, source: Source, options: ReadOptions | None = None) -> list[Event]:
    """Read an input to its end; a record that could not be read fails the test."""
    records = read_all(module, source, options)
    bad = [str(record) for record in records if isinstance(record, Bad)]
    assert not bad, bad
    return [record for record in records if isinstance(record, Event)]


def collector_contract(
    module: CollectorModule, source: Source, *, namespaces: tuple[str, ...], ecs: bool = False
) -> None:
    """Hold a collector to its port: deterministic, resumable, honest about fields.

    `namespaces` are the vendor names at the top level of its events ("winlog", "zeek" …). `ecs` says that its source
    writes ECS already: then every field of the source's document may stand, whether we fill it or not.
    """
    assert 0 < module.claims(source.head) <= 100, "a collector claims its own sample"
    assert module.claims(Head("empty", b"")) == 0, "nobody claims nothing"
    first = list(module.open(source, ReadOptions()).read(None))
    again = list(module.open(source, ReadOptions()).read(None))
    assert first == again, "reading twice gives the same"
    assert first, "a sample holds something"
    assert first[-1][1] is None, "a bounded input ends with mark None"
    for position, (_, mark) in enumerate(first[:-1]):
        assert mark is not None, "only the last batch has no mark"
        rest = [record for records, _ in first[position + 1 :] for record in records]
        assert read_all(module, source, mark=mark) == rest, f"resuming after batch {position} gives the rest"
    events = [record for records, _ in first for record in records if isinstance(record, Event)]
    assert events, "a sample holds at least one event"
    assert len({event.id for event in events}) == len(events), "ids are unique"
    for event in events:
        doc = Event.from_json(event.to_json()).doc
        unknown = [] if ecs else [name for name in _leaves(doc, "") if not _allowed(name, namespaces)]
        assert not unknown, f"neither ECS fields of vonggac.event.FIELDS nor the vendor's own: {unknown}"
        for name in ("kind", "module", "dataset"):
            assert doc["event"].get(name), f"event.{name} is always there"


def _allowed(name: str, namespaces: tuple[str, ...]) -> bool:
    top = name.split(".", 1)[0]
    return top in namespaces or top in ("ecs", "vonggac") or name in FIELDS or name == "event.id"


def _leaves(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    else:
        yield path
