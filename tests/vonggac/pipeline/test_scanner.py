"""One file at a time: the surest collector reads it, what that cannot know is stamped on, faults stay with it."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from vonggac.event import Bad
from vonggac.pipeline.job import Job, Tally
from vonggac.pipeline.parts import Part
from vonggac.pipeline.scanner import Failed, Line, Scanner
from vonggac.ports import Head, ReadOptions, Source

PARSE = Job(mode="parse", now="2026-03-01T00:00:00.000000Z", drill="DT-2026")


class Claims:
    """A collector that is as sure as it is told."""

    def __init__(self, sure: int) -> None:
        self.sure = sure

    def claims(self, head: Head) -> int:
        return self.sure

    def open(self, source: Source, options: ReadOptions) -> Faulty:
        return Faulty()


class Faulty:
    """A collector with a fault of its own."""

    def read(self, mark: bytes | None) -> object:
        raise ZeroDivisionError


def read(scanner: Scanner, path: Path) -> tuple[list[Line | Bad | Failed], Tally]:
    tally = Tally()
    return list(scanner.read(Part(str(path)), tally)), tally


def test_an_event_is_stamped(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"n": 1}\n')
    [line], tally = read(Scanner(PARSE), tmp_path / "a.json")
    assert isinstance(line, Line)
    event = orjson.loads(line.json)
    assert (event["vonggac"]["collector"], event["vonggac"]["unit"]) == ("json", "default")
    assert event["labels"]["drill"] == "DT-2026"
    assert tally.inputs_by_collector == {"json": 1}


def test_an_empty_file_is_counted_and_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "empty.log").touch()
    found, tally = read(Scanner(PARSE), tmp_path / "empty.log")
    assert (found, tally.inputs, tally.inputs_by_collector) == ([], 1, {"empty": 1})


def test_a_fault_of_ours_stays_with_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.json").write_text('{"n": 1}\n')
    scanner = Scanner(PARSE)
    monkeypatch.setattr(scanner, "_collectors", {"json": Claims(90)})
    [failed], tally = read(scanner, tmp_path / "a.json")
    assert failed == Failed(str(tmp_path / "a.json"), "fault of Vọng Gác, please report it: ZeroDivisionError: ")
    assert tally.inputs == 1
    assert "fault while reading" in caplog.text


def test_a_file_that_is_too_large_to_look_at_is_named_and_counted(tmp_path: Path) -> None:
    with (tmp_path / "disk.img").open("wb") as file:
        file.truncate(65 << 20)
    job = Job(mode="scan", now=PARSE.now, packs=(("mine", str(tmp_path / "rules")),), detectors=("yara",))
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "any.yar").write_text("rule any { condition: true }\n")
    [bad], tally = read(Scanner(job), tmp_path / "disk.img")
    assert isinstance(bad, Bad)
    assert bad.reason == "68,157,440 bytes: files are looked at up to 67,108,864 bytes"
    assert (tally.alerts, tally.events_failed, tally.events_kept) == (0, 1, 0)
