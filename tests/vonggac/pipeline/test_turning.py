"""What every task does when the log says no: waits, parts what is too big, says what is lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vonggac.logport import Batch, Full, Gap, Out, Part, Positions, TooBig
from vonggac.pipeline.pages import Page, page_of
from vonggac.pipeline.turning import Life, commit, poll, turns

OUTS = [Out("events", b"%d" % number) for number in range(5)]


class Log:
    """A task that raises what it is given first."""

    def __init__(self, *raises: Exception, limit: int = 100) -> None:
        self.raises = list(raises)
        self.limit = limit
        self.commits: list[tuple[int, bool]] = []  # records, and whether positions went with them

    def start(self) -> Positions:
        return {}

    def marks(self) -> Mapping[str, bytes]:
        return {}

    def seek(self, at: Positions) -> None:
        raise NotImplementedError

    def poll(self, wait_s: float, max_bytes: int) -> Sequence[Batch]:
        if self.raises:
            raise self.raises.pop(0)
        return []

    def commit(self, outs: Iterable[Out], upto: Positions, marks: Mapping[str, bytes]) -> None:
        if self.raises:
            raise self.raises.pop(0)
        count = len(list(outs))
        if count > self.limit:
            raise TooBig(self.limit, 1, 1, alone=False)
        self.commits.append((count, bool(upto)))

    def close(self) -> None:
        return


@pytest.fixture
def life(tmp_path: Path) -> Life:
    return Life(Page.create(page_of(tmp_path, "store-0")))


def test_a_full_disk_is_waited_for_and_said_once(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    log = Log(Full(), Full())
    waited: list[float] = []
    assert commit(log, life, OUTS, {Part("events/a.1/0"): 1}, {}, pause=waited.append)
    assert waited == [1.0, 1.0]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert (life.figures["full_total"], life.figures["full"]) == (2, 0)


def test_a_task_that_is_to_stop_waits_for_no_disk(life: Life) -> None:
    life.stop.set()
    log = Log(Full())
    assert not commit(log, life, OUTS, {}, {})
    assert log.commits == []


def test_what_is_too_big_goes_in_pieces_the_positions_with_the_last(life: Life) -> None:
    log = Log(limit=2)
    assert commit(log, life, OUTS, {Part("events/a.1/0"): 1}, {})
    assert log.commits == [(2, False), (2, False), (1, True)]


def test_lost_records_are_said_and_counted(life: Life, caplog: pytest.LogCaptureFixture) -> None:
    log = Log(Gap(Part("events/a.1/0"), 7, "deleted before it was read"), Gap(Part("events/a.1/1"), None, "gone"))
    assert poll(log, life, 0, 1) == []
    assert (life.figures["gaps_total"], life.figures["lost_total"]) == (2, 7)
    assert "7 records lost" in caplog.text


class Waits(Log):
    """Gives what waits, a batch a poll; notes how long it was asked to wait."""

    def __init__(self, waiting: int) -> None:
        super().__init__()
        self.waiting = waiting
        self.patience: list[float] = []

    def poll(self, wait_s: float, max_bytes: int) -> Sequence[Batch]:
        self.patience.append(wait_s)
        if not self.waiting:
            return []
        self.waiting -= 1
        return [Batch(Part("events/a.1/0"), 0, 1, datetime(2026, 3, 1, tzinfo=UTC), [b"{}"])]


def test_turns_end_when_nothing_waits_any_more(life: Life) -> None:
    task, seen = Waits(3), 0
    life.drain.set()
    for batches in turns(task, life, 1):
        seen += len(batches)
    assert (seen, task.patience) == (3, [0, 0, 0, 0]), "draining waits for nothing new"


def test_turns_go_on_though_nothing_comes_until_the_stop(life: Life) -> None:
    task = Waits(0)
    for turn, batches in enumerate(turns(task, life, 1, lambda: 7.0), 1):
        assert not batches
        if turn == 3:
            life.stop.set()
    assert task.patience == [7.0] * 3


def test_figures_are_shown_once_a_second_and_a_sign_of_life_each_time(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("vonggac.pipeline.turning.time.monotonic", lambda: now)
    life.tell()
    life.count("turns_total")
    life.tell()
    assert life.page.shown()[0] == {}
    now += 1.5
    life.tell()
    assert life.page.shown()[0] == {"turns_total": 1}
