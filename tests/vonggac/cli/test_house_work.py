"""What the store's process does between saves, and what the service knows of itself: over a real log and store."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.embedded_store import EmbeddedStore, Limits
from vonggac.cli import _own, _service
from vonggac.cli._own import Figures
from vonggac.cli._service import _House, event_log
from vonggac.health.measure import Own
from vonggac.logport import Out
from vonggac.pipeline.pages import Page, page_of
from vonggac.settings import Settings
from vonggac.storetesting import batch_of, upto


def house_of(data: Path, files: int = 0, small: int = 10, merged: int = 100) -> tuple[_House, EmbeddedStore]:
    settings = Settings(data=str(data))
    store = EmbeddedStore(data / "store", limits=Limits(floor=timedelta(0), small=small, merged=merged))
    for first in range(files):
        batch = batch_of({}, first=first)
        store.save([batch], upto(batch))
    return _House(store, event_log(settings), settings), store


def copy(data: Path, name: str, age_days: float) -> Path:
    path = data / "examine" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"x")
    at = datetime.now(UTC).timestamp() - age_days * 86_400
    os.utime(path, (at, at))
    return path


def test_small_files_are_joined_one_group_a_call(tmp_path: Path) -> None:
    house, store = house_of(tmp_path, files=6, small=2, merged=4)
    found = [house.merge(2, threading.Event()) for _ in range(3)]
    assert found == [4, 2, 0]
    assert house.merge(16, threading.Event()) == 0
    assert house.damaged() == 0
    (tmp_path / "store" / "events" / store.catalogue.live()[0].name).write_bytes(b"")
    store.verify()
    assert house.damaged() == 1


def test_a_join_that_takes_too_long_here_is_tried_with_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_service, "_MERGE_S", -1.0)
    house, _ = house_of(tmp_path, files=6, small=2, merged=8)
    assert house.merge(2, threading.Event()) == 4, "six at once were given up; the smallest join has all the time"


def test_a_stop_ends_it(tmp_path: Path) -> None:
    house, store = house_of(tmp_path, files=4)
    stop = threading.Event()
    stop.set()
    assert house.merge(2, stop) == 0
    assert len(store.catalogue.live()) == 4


def test_copies_of_files_that_were_judged_go_and_those_that_wait_stay(tmp_path: Path) -> None:
    house, _ = house_of(tmp_path)
    log = event_log(Settings(data=str(tmp_path)))
    detect = log.join("detect", ("events",), 0, 1)
    detect.start()
    old, young = copy(tmp_path, "old", 5), copy(tmp_path, "young", 3)
    house.tidy()
    assert (old.exists(), young.exists()) == (False, True)
    long_ago = datetime.now(UTC) - timedelta(days=9)
    source = event_log(Settings(data=str(tmp_path)))
    source.world = replace(source.world, clock=lambda: long_ago)
    collect = source.join("collect", (), 0, 1)
    collect.start()
    collect.commit([Out("events", b"{}")], {}, {})
    waits = copy(tmp_path, "waits", 8)
    house.tidy()
    assert waits.exists(), "its event was not judged for nine days"


def test_the_figures_are_those_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = event_log(Settings(data=str(tmp_path)))
    figures = Figures(log, tmp_path, ("detect", "store"))
    monkeypatch.setattr(_own, "free_share", lambda _data: 0.2504)
    assert figures() == Own(disk=0.25, full=log.room() == 0)
    Page.create(page_of(tmp_path, "store-0")).publish({"damaged_files": 2, "retention_short": 1.0})
    died = {'restarts_total{instance="detect-0"}': 3, 'restarts_total{instance="desk-0"}': 0}
    Page.create(page_of(tmp_path, "supervisor-0")).publish(died)
    found = figures()
    assert (found.damaged, found.kept, found.died) == (2, True, {"detect-0": 3})


def test_figures_that_cannot_be_had_are_said_once_and_stop_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_data: Path) -> float:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(_own, "free_share", broken)
    figures = Figures(event_log(Settings(data=str(tmp_path))), tmp_path, ("detect",))
    assert figures() == figures() == Own()
    assert caplog.text.count("Input/output error") == 1
