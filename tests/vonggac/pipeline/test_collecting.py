"""What intakes read becomes durable, with their cursors, before it is acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.embedded_log import EmbeddedLog, EmbeddedTask
from vonggac.event import Bad
from vonggac.health.measure import Own, read
from vonggac.intake.inlet import Delivery, Inlet, Intake
from vonggac.intake.tally import Tally
from vonggac.logport import Full
from vonggac.people.units import Units
from vonggac.pipeline import collecting
from vonggac.pipeline.collecting import Collect
from vonggac.pipeline.pages import Page, State, page_of
from vonggac.pipeline.turning import Life
from vonggac.testing import make_event

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class Sender:
    """An intake that hands over numbers from where it left off; then waits, or ends by a fault."""

    name = "sender"

    def __init__(self, numbers: int = 3, fault: Exception | None = None) -> None:
        self.numbers, self.fault = numbers, fault
        self.acknowledged: list[int] = []
        self.closed = False
        self.all_there = threading.Event()

    def open(self) -> None:
        return

    def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
        first = int(marks.get("sender:at", b"0"))
        for number in range(first, self.numbers):
            records = [make_event(message=f"n{number}")]
            inlet.put(
                Delivery("json", records, "sender", marks={"sender:at": b"%d" % (number + 1)}, done=self._done(number))
            )
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        stop.wait()

    def _done(self, number: int) -> Callable[[], None]:
        def done() -> None:
            self.acknowledged.append(number)
            if len(self.acknowledged) == self.numbers:
                self.all_there.set()

        return done

    def figures(self) -> Mapping[str, float]:
        return {"received_total": self.numbers}

    def close(self) -> None:
        self.closed = True


class Running:
    """A collect task in a thread."""

    def __init__(self, folder: Path, *intakes: Intake) -> None:
        self.log = EmbeddedLog(folder / "log")
        self.life = Life(Page.create(page_of(folder, "collect-0")))
        tally = Tally()
        self.inlet = Inlet(Units(()), tally, lambda: AT)
        task = self.log.join("collect", (), 0, 1)
        own = lambda: Own(disk=0.5)  # noqa: E731
        self.collect = Collect(task, self.inlet, tally, intakes, self.life, lambda: AT, self.log.room, own)
        self.thread = threading.Thread(target=self.collect.run)
        self.thread.start()

    def end(self) -> None:
        self.life.drain.set()
        self.thread.join(30)
        assert not self.thread.is_alive()

    def messages(self, topic: str = "events") -> list[str]:
        batches = self.log.tail((topic,), datetime(2000, 1, 1, tzinfo=UTC), wait_s=0)
        return [orjson.loads(record)["message"] for batch in batches for record in batch.records]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "_AGAIN_S", (0.01, 0.01))
    monkeypatch.setattr(collecting, "_SHOW_S", 0.0)


def test_what_is_acknowledged_stands_in_the_log(tmp_path: Path) -> None:
    sender = Sender()
    service = Running(tmp_path, sender)
    assert sender.all_there.wait(30)
    assert service.messages() == ["n0", "n1", "n2"]
    service.end()
    assert sender.closed
    assert service.life.page.shown()[0]["events_total"] == 3
    assert service.life.page.shown()[0]['intake_received_total{intake="sender"}'] == 3


def test_an_intake_goes_on_where_the_commit_was(tmp_path: Path) -> None:
    first = Sender(3)
    service = Running(tmp_path, first)
    assert first.all_there.wait(30)
    service.end()
    second = Sender(5)
    service = Running(tmp_path, second)
    while service.messages()[-1:] != ["n4"]:
        assert not second.all_there.wait(0.02)
    service.end()
    assert service.messages() == ["n0", "n1", "n2", "n3", "n4"]
    assert second.acknowledged == [3, 4]


@pytest.mark.parametrize("fault", [OSError("the interface is down"), RuntimeError("our fault")])
def test_an_intake_that_ends_is_named_and_started_again(
    tmp_path: Path, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    sender, other = Sender(2, fault), Sender(0)
    service = Running(tmp_path, sender, other)
    assert sender.all_there.wait(30)
    while 'intake_ended_total{intake="sender"}' not in service.life.figures or sender.fault is not None:
        assert service.thread.is_alive()
    service.end()
    assert str(fault) in caplog.text
    assert sorted(service.messages()) == ["n0", "n1"], "nothing is read again that still waited for its commit"
    assert service.life.page.state is State.READY, "nothing else ended"


def test_what_was_read_before_the_end_is_committed(tmp_path: Path) -> None:
    class Late(Sender):
        def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
            stop.wait()
            inlet.put(Delivery("json", [make_event(message="late"), Bad("x", "1", "why")], "sender"))

    service = Running(tmp_path, Late())
    service.end()
    assert service.messages() == ["late"]
    assert service.messages("dead") == ["x: 1: why"]


def test_the_beat_says_what_each_intake_lost_since_the_last(tmp_path: Path) -> None:
    class Losing(Sender):
        kernel, ours = 5, 2

        def figures(self) -> Mapping[str, float]:
            return {"dropped_kernel_total": self.kernel, "dropped_total": self.ours}

    losing, well = Losing(), Sender()
    well.name = "well"
    now = [AT]
    log = EmbeddedLog(tmp_path / "log")
    tally = Tally()
    inlet = Inlet(Units(()), tally, lambda: AT)
    life = Life(Page.create(page_of(tmp_path, "collect-0")))
    task = log.join("collect", (), 0, 1)
    task.start()
    own = lambda: Own(disk=0.5)  # noqa: E731
    collect = Collect(task, inlet, tally, [losing, well], life, lambda: now[0], log.room, own)
    collect._turn(0)
    losing.kernel = 12
    for _ in range(2):
        now[0] += timedelta(seconds=10)
        collect._turn(0)
    task.close()
    beats = [read(line) for batch in log.tail(("health",), LONG_AGO, wait_s=0) for line in batch.records]
    lost = [one.lost for one in beats if isinstance(one, Own)]
    assert lost == [{"sender": (5, 2)}, {"sender": (7, 0)}, {}]
    assert [one.clock for one in beats if isinstance(one, Own)] == [0, 10, 10], "nobody's clock runs like this"


def test_while_the_disk_is_full_the_inlet_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = threading.Event()
    full.set()
    commit = EmbeddedTask.commit

    def refusing(task: EmbeddedTask, *asked: Any) -> None:
        if full.is_set():
            raise Full
        commit(task, *asked)

    monkeypatch.setattr(EmbeddedTask, "commit", refusing)
    sender = Sender()
    service = Running(tmp_path, sender)
    end = time.monotonic() + 30
    while not getattr(service.inlet, "stalled"):  # noqa: B009  another thread changes it
        assert time.monotonic() < end
        time.sleep(0.01)
    full.clear()
    assert sender.all_there.wait(30)
    service.end()
    assert not service.inlet.stalled
    assert service.messages() == ["n0", "n1", "n2"]
