"""Memory and position are saved together; what was told before a death is not told again after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.embedded_log import EmbeddedLog
from vonggac.event import Bad
from vonggac.logport import Out, Positions
from vonggac.pipeline.healthtask import Health
from vonggac.pipeline.pages import Page, page_of
from vonggac.pipeline.turning import Life


class Counts:
    """Alerts at each third record it was ever fed."""

    def __init__(self) -> None:
        self.count = self.unread = 0

    def feed(self, records: Sequence[bytes], appended: datetime) -> Iterable[bytes]:
        for record in records:
            if record == b"deadly":
                raise KeyboardInterrupt
            self.unread += record == b"no measurement"
            self.count += 1
            if self.count % 3 == 0:
                yield b'{"alert": %d}' % self.count

    def take_days(self) -> Sequence[Any]:
        return []

    def snapshot(self) -> bytes:
        return b"%d" % self.count

    def restore(self, state: bytes) -> None:
        self.count = int(state)


class Kept:
    """A ledger in memory that a death does not touch."""

    def __init__(self) -> None:
        self.saved: tuple[bytes, Positions] | None = None
        self.refuses: list[Bad] = []

    def load(self) -> tuple[bytes, Positions] | None:
        return self.saved

    def save(self, snapshot: bytes, positions: Positions, rows: Sequence[Any]) -> Sequence[Bad]:
        self.saved = snapshot, dict(positions)
        return self.refuses


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = EmbeddedLog(folder / "log")
        self.source = self.log.join("collect", (), 0, 1)
        self.source.start()
        self.ledger = Kept()

    def send(self, *records: bytes) -> None:
        for record in records:
            self.source.commit([Out("health", record)], {}, {})

    def run(self) -> Life:
        life = Life(Page.create(page_of(self.folder, "desk-0")))
        life.drain.set()
        Health(self.log.join("health", ("health",), 0, 1), Counts(), self.ledger, life).run()
        return life

    def alerts(self, topic: str = "alerts") -> list[bytes]:
        found = self.log.tail((topic,), datetime(2000, 1, 1, tzinfo=UTC), wait_s=0)
        return [record for batch in found for record in batch.records]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_it_goes_on_where_it_was(world: World) -> None:
    world.send(b"1", b"2")
    world.run()
    world.send(b"3", b"4", b"5", b"6")
    world.run()
    assert world.alerts() == [b'{"alert": 3}', b'{"alert": 6}']
    assert world.ledger.saved is not None
    assert world.ledger.saved[0] == b"6"


def test_a_death_between_alert_and_memory_tells_nothing_twice(world: World) -> None:
    world.send(b"1", b"2", b"3", b"deadly")
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert world.alerts() == [b'{"alert": 3}']
    assert world.ledger.saved is None, "the memory was lost"
    with pytest.raises(KeyboardInterrupt):
        world.run()
    assert world.alerts() == [b'{"alert": 3}'], "folded again, with its alerts held back"


def test_what_was_no_measurement_is_shown(world: World) -> None:
    world.send(b"x", b"no measurement")
    assert world.run().figures["health_unread"] == 1


def test_a_row_that_contradicts_one_that_stands_is_owed_to_the_dead(world: World) -> None:
    world.ledger.refuses = [Bad("health.sqlite", "2026-03-01, fw1", "another row for this day", b'{"events": 7}')]
    world.send(b"1")
    world.run()
    (dead,) = map(orjson.loads, world.alerts("dead"))
    assert dead["message"] == "health.sqlite: 2026-03-01, fw1: another row for this day"
    assert dead["event"]["original"] == '{"events": 7}'
    assert dead["vonggac"]["task"] == "health"
