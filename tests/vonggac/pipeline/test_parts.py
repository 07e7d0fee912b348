"""A large log is cut at line starts, one part a worker; together the parts give what the whole gives."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from vonggac import shelf
from vonggac.pipeline import parts
from vonggac.pipeline.job import Job, Tally
from vonggac.pipeline.parts import Part, parts_of
from vonggac.pipeline.scanner import Line, Scanner

LINE = "Mar  1 01:02:{:02d} gw sshd[411]: Accepted password for root from 203.0.113.9 port {} ssh2\n"
COLLECTORS = {name: shelf.collector(name) for name in shelf.names("collectors")}


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(parts, "LEAST", 1_000)
    (tmp_path / "auth.log").write_text("".join(LINE.format(number % 60, number) for number in range(200)))
    return tmp_path / "auth.log"


def test_parts_begin_at_lines_and_leave_nothing_out(log: Path) -> None:
    found = parts_of(str(log), COLLECTORS, None, 3)
    text = log.read_bytes()
    assert len(found) == 3
    assert b"".join(text[part.start : part.stop] for part in found) == text
    assert all(text[part.start - 1 : part.start] == b"\n" for part in found[1:])


def test_the_parts_give_what_the_whole_gives(log: Path) -> None:
    scanner = Scanner(Job(mode="parse", now="2026-03-01T00:00:00.000000Z"))
    whole, cut = Tally(), Tally()
    one = list(scanner.read(Part(str(log)), whole))
    several = [found for part in parts_of(str(log), COLLECTORS, None, 4) for found in scanner.read(part, cut)]
    assert one == several
    assert [isinstance(found, Line) for found in one] == [True] * 200
    assert (whole.inputs, whole.events) == (cut.inputs, cut.events) == (1, 200)
    assert whole.inputs_by_collector == cut.inputs_by_collector


def test_what_cannot_be_cut_stays_whole(log: Path, tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(log.read_bytes(), compresslevel=0))
    assert parts_of(str(tmp_path / "a.gz"), COLLECTORS, None, 4) == [Part(str(tmp_path / "a.gz"))]
    assert parts_of(str(tmp_path / "gone"), COLLECTORS, None, 4) == [Part(str(tmp_path / "gone"))]
    assert parts_of(str(log), COLLECTORS, "auditd", 4) == [Part(str(log))]
    assert parts_of(str(log), COLLECTORS, None, 1) == [Part(str(log))]


@pytest.mark.parametrize("part", [Part("/a b/c"), Part("x", 5, 9), Part("/\udcff", 7)])
def test_a_part_travels(part: Part) -> None:
    assert Part.from_bytes(part.to_bytes()) == part
