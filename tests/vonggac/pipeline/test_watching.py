"""The terminal may repeat an alert, never omit one."""

from pathlib import Path

import pytest

from connectors.embedded_log import EmbeddedLog
from vonggac.logport import Out
from vonggac.pipeline.pages import Page, page_of
from vonggac.pipeline.turning import Life
from vonggac.pipeline.watching import Watch


def watch(folder: Path, shown: list[bytes] | None, dies: bool = False) -> None:
    def show(record: bytes) -> None:
        if dies:
            raise KeyboardInterrupt
        if record == b"broken":
            msg = "no alert"
            raise ValueError(msg)
        assert shown is not None
        shown.append(record)

    life = Life(Page.create(page_of(folder, "desk-0")))
    life.drain.set()
    task = EmbeddedLog(folder / "log").join("terminal", ("alerts",), 0, 1)
    Watch(task, life, None if shown is None else show).run()


def send(folder: Path, *records: bytes) -> None:
    task = EmbeddedLog(folder / "log").join("detect", (), 0, 1)
    task.start()
    task.commit([Out("alerts", record) for record in records], {}, {})
    task.close()


def test_each_alert_is_shown_also_after_a_death_before_it_was(tmp_path: Path) -> None:
    shown: list[bytes] = []
    send(tmp_path, b"1", b"2")
    with pytest.raises(KeyboardInterrupt):
        watch(tmp_path, shown, dies=True)
    watch(tmp_path, shown)
    send(tmp_path, b"3")
    watch(tmp_path, shown)
    assert shown == [b"1", b"2", b"3"]


def test_without_a_terminal_the_place_is_kept(tmp_path: Path) -> None:
    shown: list[bytes] = []
    send(tmp_path, b"1")
    watch(tmp_path, None)
    send(tmp_path, b"2")
    watch(tmp_path, shown)
    assert shown == [b"2"]


def test_what_cannot_be_shown_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shown: list[bytes] = []
    send(tmp_path, b"broken", b"2")
    watch(tmp_path, shown)
    assert shown == [b"2"]
    assert "cannot be shown" in caplog.text
