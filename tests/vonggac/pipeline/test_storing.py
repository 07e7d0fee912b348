"""Events, alerts and dead records reach the store once, whatever ends in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.embedded_log import EmbeddedLog
from connectors.embedded_store import EmbeddedStore
from vonggac.event import Bad
from vonggac.logport import Batch, Out, Positions
from vonggac.pipeline import storing
from vonggac.pipeline.pages import Page, page_of
from vonggac.pipeline.storing import Keeping, Store
from vonggac.pipeline.turning import Life
from vonggac.query import Query
from vonggac.storeport import Stop
from vonggac.testing import make_event

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = EmbeddedLog(folder / "log")
        self.source = self.log.join("collect", (), 0, 1)
        self.source.start()
        self.store = EmbeddedStore(folder / "store")
        self.life = Life(Page.create(page_of(folder, "store-0")))

    def send(self, topic: str, *messages: str) -> None:
        lines = [make_event({"vonggac": {"unit": ""}}, message=one, event__kind=topic).to_json() for one in messages]
        self.source.commit([Out(topic, line) for line in lines], {}, {})

    def run(self, store: Any = None, **more: Any) -> None:
        self.life = Life(self.life.page)
        self.life.drain.set()
        task = self.log.join("store", ("events", "alerts", "dead"), 0, 1)
        Store(task, store or self.store, self.life, Keeping(400, 365), lambda: NOW, **more).run()

    def stored(self) -> list[str]:
        page = self.store.search(Query(size=1_000), frozenset({""}), 60, threading.Event())
        return sorted(orjson.loads(row)["message"] for row in page.rows)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_every_topic_is_stored_once(world: World) -> None:
    world.send("events", "a", "b")
    world.send("alerts", "c")
    world.send("dead", "d")
    world.run()
    world.run()
    world.send("events", "e")
    world.run()
    assert world.stored() == ["a", "b", "c", "d", "e"]


def test_a_death_between_the_save_and_the_commit_doubles_nothing(world: World) -> None:
    """The position stands beside the events; what the log remembers is only what may be deleted."""
    world.send("events", "a")

    class Dies(EmbeddedStore):
        def save(self, batches: Sequence[Batch], upto: Positions) -> Sequence[Bad]:
            super().save(batches, upto)
            raise KeyboardInterrupt

    dying = Dies(world.folder / "store")
    with pytest.raises(KeyboardInterrupt):
        world.run(dying)
    dying.close()
    world.run()
    assert world.stored() == ["a"]


def test_what_is_no_event_is_owed_to_the_dead(world: World) -> None:
    world.source.commit([Out("events", b'{"no": "id"}')], {}, {})
    world.send("events", "a")
    world.run()
    assert world.stored()[0] == "a"
    (batch,) = world.log.tail(("dead",), datetime(2000, 1, 1, tzinfo=UTC), wait_s=0)
    assert b"no event.id" in batch.records[0]


def test_a_store_that_takes_nothing_is_asked_again(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.send("events", "a")

    class Full(EmbeddedStore):
        tries = 0

        def save(self, batches: Sequence[Batch], upto: Positions) -> Sequence[Bad]:
            self.tries += 1
            raise OSError(28, "No space left on device")

    full = Full(world.folder / "store")
    world.run(full)  # draining: one try, and the events stay in the log
    full.close()
    assert full.tries == 1
    assert "No space left on device" in caplog.text
    world.run()
    assert world.stored() == ["a"]


def test_a_record_that_ends_the_store_is_stored_as_what_is_said_of_it(world: World) -> None:
    world.send("events", "a", "deadly", "b")
    world.run(sifter=lambda batch: {batch.first + 1: "it ended the task three times"})
    assert [text for text in world.stored() if text in ("a", "b")] == ["a", "b"]
    assert any("it ended the task three times" in text for text in world.stored())
    assert "deadly" not in world.stored()


class House:
    def __init__(self, free: float) -> None:
        self.free = free

        self.asked: list[int] = []
        self.tidied = 0
        self.small = 0

    def merge(self, least: int, stop: Stop) -> int:
        self.asked.append(least)
        self.small -= (joined := self.small // 2)
        return joined

    def damaged(self) -> int:
        return 3

    def tidy(self) -> None:
        self.tidied += 1

    def free_share(self) -> float:
        return self.free


@pytest.mark.parametrize(("free", "days"), [(0.5, 400), (0.05, 365)])
def test_a_short_disk_brings_retention_forward_down_to_the_floor(world: World, free: float, days: int) -> None:
    asked: list[datetime] = []

    class Asked(EmbeddedStore):
        def drop(self, before: datetime) -> int:
            asked.append(before)
            return 0

    store = Asked(world.folder / "store")
    task = world.log.join("store", ("events",), 0, 1)
    Store(task, store, world.life, Keeping(400, 365), lambda: NOW, House(free)).drop()
    assert world.life.figures["retention_short"] == (free < 0.1)
    assert asked == [NOW - timedelta(days=days)]


def working(world: World, house: House, until: Callable[[], bool]) -> None:
    """Let the task run, undisturbed, until something holds."""
    task = world.log.join("store", ("events",), 0, 1)
    thread = threading.Thread(target=Store(task, world.store, world.life, Keeping(400, 365), lambda: NOW, house).run)
    thread.start()
    while not until():
        assert thread.is_alive()
        time.sleep(0.01)
    world.life.drain.set()
    thread.join(30)
    assert not thread.is_alive()


def test_what_is_joined_is_joined_one_group_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_MERGE_S", 0.01)
    monkeypatch.setattr(storing, "_MORE_S", 0.01)
    house = House(0.5)
    house.small = 40
    working(world, house, lambda: house.small == 1)
    assert set(house.asked) == {16}, "few small files wait for others"
    assert world.life.figures["merged_total"] == 39
    assert world.life.figures["damaged_files"] == 3
    assert house.tidied == 1


def test_once_an_hour_all_small_files_are_joined(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_MERGE_S", 0.0)
    monkeypatch.setattr(storing, "_DROP_S", 1.0)
    house = House(0.5)
    working(world, house, lambda: {2, 16} <= set(house.asked))


def test_nothing_is_joined_at_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_MERGE_S", -1.0)
    house = House(0.5)
    world.send("events", "a")
    world.run(house=house)
    assert house.asked == []


def test_a_join_in_hand_is_given_up_when_the_task_is_to_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_MERGE_S", 0.0)

    class Long(House):
        def merge(self, least: int, stop: Stop) -> int:
            self.asked.append(least)
            while not stop.is_set():
                time.sleep(0.01)
            return 0

    house = Long(0.5)
    working(world, house, lambda: bool(house.asked))
    assert len(house.asked) == 1
