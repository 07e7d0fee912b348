"""How answers are given out; most is seen through the command (`test_hunt.py`), here what is hard to reach there."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vonggac.cli import hunted
from vonggac.cli.hunted import comma, lines, opened, workbook


def sheets(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        names = [name for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
        return [book.read(name).decode() for name in sorted(names)]


def test_lines_and_comma_count_what_they_write() -> None:
    stream = io.BytesIO()
    assert lines(stream, [b"{}", b"[]"]) == 2
    assert lines(stream, []) == 0
    assert stream.getvalue() == b"{}\n[]\n"
    stream = io.BytesIO()
    assert comma(stream, ["a", "=b"], [[None, "x\ny"], [1.5, "\t=1"]]) == 2
    rows = list(csv.reader(io.StringIO(stream.getvalue().decode(), newline="")))
    assert rows == [["a", "'=b"], ["", "x\\ny"], ["1.5", "\\t=1"]]


def test_a_workbook_goes_on_on_the_next_sheet_and_no_further_than_its_bound(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hunted, "SHEET_ROWS", 2)
    monkeypatch.setattr(hunted, "SHEETS", 3)
    stream = io.BytesIO()
    assert workbook(stream, ["a"], ([n] for n in range(5)), [("where", "x")]) == 5
    made = sheets(stream.getvalue())
    assert [sheet.count("<row ") for sheet in made] == [3, 3, 2, 1]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(ValueError, match="more than 6 rows"):
        workbook(io.BytesIO(), ["a"], ([n] for n in range(7)), [])
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"


def test_a_workbook_says_what_was_found_out_only_after_its_rows() -> None:
    told: list[tuple[str, str]] = []

    def rows() -> Iterator[list[Any]]:
        yield ["=1+1"]
        told.append(("missing", "file x"))

    stream = io.BytesIO()
    workbook(stream, ["a"], rows(), told)
    assert "file x" in sheets(stream.getvalue())[1]
    assert "<f>" not in sheets(stream.getvalue())[0]


def test_numbers_that_a_spreadsheet_would_round_stay_texts() -> None:
    stream = io.BytesIO()
    workbook(stream, ["a"], [[12], [12345678901234567], [True], ["0012"], ["x" * 40_000], ["\x00\ud800"]], [])
    sheet = sheets(stream.getvalue())[0]
    assert sheet.count("<v>12</v>") == 1
    assert "<t>12345678901234567</t>" in sheet
    assert "<t>True</t>" in sheet
    assert "<t>0012</t>" in sheet
    assert "<t>\\x00\\ud800</t>" in sheet
    assert "x" * 32_766 + "…" in sheet
    assert "x" * 32_767 not in sheet


def test_without_rows_a_workbook_still_has_its_heading() -> None:
    stream = io.BytesIO()
    assert workbook(stream, ["a", "b"], [], []) == 0
    assert "<t>b</t>" in sheets(stream.getvalue())[0]


def test_a_file_appears_only_when_all_went_well(tmp_path: Path) -> None:
    file = tmp_path / "x"

    def late() -> Iterator[bytes]:
        yield b"{}"
        raise OSError

    with pytest.raises(OSError), opened(file) as stream:
        lines(stream, late())
    assert not file.exists()
