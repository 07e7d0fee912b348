"""Events in, alerts out: what a worker that dies had not committed is judged again, what it had is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.embedded_log import EmbeddedLog
from vonggac.event import Alert, Bad, Event, Match, RuleRef
from vonggac.logport import Batch, Out
from vonggac.pipeline import detecting
from vonggac.pipeline.detecting import Detect
from vonggac.pipeline.pages import Page, page_of
from vonggac.pipeline.turning import Life
from vonggac.testing import make_event

RULE = RuleRef("r1", "A rule", "high", "test", "1")
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Evil:
    """Fires on what is called evil; dies of what is called deadly."""

    digest = "d"

    def judge(self, events: Sequence[Event]) -> Iterable[Alert | Match | Bad]:
        for event in events:
            if event.doc["message"].startswith("deadly"):
                raise KeyboardInterrupt
            if event.doc["message"].startswith("evil"):
                yield Alert(RULE, event, {"Message": event.doc["message"]})
            if event.doc["message"].startswith("odd"):
                yield Bad("x", "y", "cannot be judged")


class Bytes:
    """Fires on files that hold EVIL."""

    digest = "f"
    limit = 100

    def examine(self, event: Event, path: Path) -> Iterable[Alert | Bad]:
        if b"EVIL" in path.read_bytes():
            yield Alert(RULE, event)


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = EmbeddedLog(folder / "log")
        self.source = self.log.join("collect", (), 0, 1)
        self.source.start()
        self.life = Life(Page.create(page_of(folder, "detect-0")))

    def send(self, *records: str | bytes | Event) -> None:
        lines = [
            one if isinstance(one, bytes) else (make_event(message=one) if isinstance(one, str) else one).to_json()
            for one in records
        ]
        self.source.commit([Out("events", line) for line in lines], {}, {})

    def detect(self, **more: Any) -> None:
        """Judge what waits, then end."""
        life = Life(self.life.page)
        life.drain.set()
        task = self.log.join("detect", ("events",), 0, 1)
        files = more.pop("files", [])
        Detect(task, [Evil()], files, self.folder / "examine", life, **more).run()
        self.life = life

    def read(self, topic: str) -> list[dict[str, Any]]:
        return [orjson.loads(line) for one in self.log.tail((topic,), LONG_AGO, wait_s=0) for line in one.records]

    @property
    def fired(self) -> list[str]:
        return [alert["message"] for alert in self.read("alerts")]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_alert_carries_the_moment_of_the_append(world: World) -> None:
    world.send("good", "evil 1")
    world.detect()
    (alert,) = world.read("alerts")
    (batch,) = world.log.tail(("events",), LONG_AGO, wait_s=0)
    assert datetime.fromisoformat(alert["event"]["ingested"]) == batch.appended


def test_nothing_is_judged_twice(world: World) -> None:
    world.send("evil 1")
    world.detect()
    world.detect()
    world.send("evil 2")
    world.detect()
    assert world.fired == ["evil 1", "evil 2"]


def test_what_cannot_be_decoded_or_judged_goes_to_the_dead(world: World) -> None:
    world.send("evil 1", b'{"no": "event"}', "odd", "evil 2")
    world.detect()
    assert world.fired == ["evil 1", "evil 2"]
    assert [dead["error"]["message"][:12] for dead in world.read("dead")] == ["not an event", "cannot be ju"]


def test_many_alerts_are_committed_in_the_midst_of_a_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies behind such a commit begins in the midst of the batch: no alert is lost, none stands twice."""
    monkeypatch.setattr(detecting, "_STEP", 2)
    monkeypatch.setattr(detecting, "_COMMIT", 1)
    world.send("evil 0", "evil 1", "evil 2", "evil 3", "deadly", "evil 5")
    with pytest.raises(KeyboardInterrupt):
        world.detect()
    assert world.fired == ["evil 0", "evil 1", "evil 2", "evil 3"]
    world.detect(sifter=lambda batch: {batch.first + 4: "put aside"})
    assert world.fired == ["evil 0", "evil 1", "evil 2", "evil 3", "evil 5"]
    assert [dead["error"]["message"] for dead in world.read("dead")] == ["put aside"]


def test_the_page_says_on_which_batch_it_died(world: World) -> None:
    world.send("deadly")
    with pytest.raises(KeyboardInterrupt):
        world.detect()
    (batch,) = world.log.tail(("events",), LONG_AGO, wait_s=0)
    assert world.life.page.in_hand() == f"{batch.part} {batch.first}"


def test_an_alert_on_a_huge_field_is_cut_and_the_event_is_not(world: World) -> None:
    """Whole, it would hold the field twice and not fit into a commit: the worker died of it again and again."""
    huge = make_event({"process": {"command_line": "x" * (6 << 20), "pid": 7}}, message="evil " + "y" * (6 << 20))
    world.send(huge, "evil 2")
    world.detect()
    cut, whole = world.read("alerts")
    assert cut["event"]["id"] == Alert(RULE, huge).id
    assert (cut["process"]["pid"], cut["vonggac"]["shortened"]) == (7, True)
    assert len(cut["process"]["command_line"]) == 1_024
    assert "shortened" not in whole["vonggac"]
    (stored,) = [event for event in world.read("events") if event["event"]["id"] == huge.id]
    assert len(stored["process"]["command_line"]) == 6 << 20


def file_event(name: str) -> Event:
    return make_event({"vonggac": {"examine": name}}, message="a file", file__path="inbox/x")


def test_a_files_bytes_are_judged_and_its_copy_goes_after_the_commit(world: World) -> None:
    (world.folder / "examine").mkdir()
    copy = world.folder / "examine" / "abc.1"
    copy.write_bytes(b"..EVIL..")
    world.send(file_event("abc.1"))
    world.detect(files=[Bytes()])
    assert len(world.read("alerts")) == 1
    assert not copy.exists()


@pytest.mark.parametrize("name", ["gone", "../secret", "/etc/passwd", ""])
def test_a_copy_that_is_not_there_is_named(world: World, name: str) -> None:
    (world.folder / "examine").mkdir()
    (world.folder / "secret").write_bytes(b"EVIL")
    world.send(file_event(name))
    world.detect(files=[Bytes()])
    assert world.read("alerts") == []
    assert "not looked at" in world.read("dead")[0]["error"]["message"]


def test_a_large_file_is_named(world: World) -> None:
    (world.folder / "examine").mkdir()
    (world.folder / "examine" / "big").write_bytes(b"EVIL" * 100)
    world.send(file_event("big"))
    world.detect(files=[Bytes()])
    assert world.read("dead")[0]["error"]["message"] == "400 bytes: files are looked at up to 100 bytes"


def test_sifting_sees_each_batch_once(world: World) -> None:
    seen: list[int] = []

    def sift(batch: Batch) -> Mapping[int, str]:
        seen.append(batch.first)
        return {}

    world.send("evil 1")
    world.detect(sifter=sift)
    assert seen == [0]
