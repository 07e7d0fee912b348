"""The rows of an answer: page by page, to the limit, and with what is missing."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from vonggac.hunting.answers import Answer, cells, telling
from vonggac.query import MAX_SIZE, Query
from vonggac.storeport import Page, Stop, TooMuch


@dataclass(slots=True)
class Many:
    """A store of so many events, that refuses pages above `most`; its cursor is the next number."""

    events: int
    most: int = MAX_SIZE
    asked: list[int] = field(default_factory=list)

    def search(self, query: Query, units: frozenset[str], limit_s: float, stop: Stop) -> Page:
        self.asked.append(query.size)
        if query.size > self.most:
            raise TooMuch
        start = int(query.after or 0)
        end = min(self.events, start + query.size)
        rows = tuple(orjson.dumps({"n": n}) for n in range(start, end))
        count = self.events if query.count else None
        return Page(rows, str(end) if end < self.events else None, count, missing=(f"file {start // 10_000 % 2}",))


def answer(store: Many, limit: int | None = None) -> Answer:
    return Answer(store, Query(), frozenset({""}), limit=limit, limit_s=1, stop=threading.Event(), columns=("n",))


def test_every_row_comes_page_by_page() -> None:
    store = Many(25_000)
    rows = answer(store)
    assert [doc["n"] for doc in rows.docs()] == list(range(25_000))
    assert store.asked == [10_000, 10_000, 10_000]
    assert (rows.more, rows.missing) == (False, ("file 0", "file 1"))


@pytest.mark.parametrize(("limit", "more"), [(1, True), (10_001, True), (12_000, False), (99_999, False)])
def test_no_more_rows_than_the_limit(limit: int, more: bool) -> None:
    rows = answer(Many(12_000), limit)
    assert len(list(rows.lines())) == min(limit, 12_000)
    assert rows.more is more


def test_a_page_that_is_too_much_is_asked_for_in_halves() -> None:
    store = Many(3_000, most=1_500)
    assert len(list(answer(store).lines())) == 3_000
    assert store.asked == [10_000, 5_000, 2_500, 1_250, 1_250, 1_250]
    with pytest.raises(TooMuch):
        list(answer(Many(1, most=0)).lines())


def test_a_count_has_no_rows() -> None:
    rows = answer(Many(42))
    assert (rows.count(), rows.missing) == (42, ("file 0",))


def test_cells_are_texts_of_fields() -> None:
    doc: dict[str, Any] = {"a": {"b": [1, "x", True]}, "c.d": 1.5, "e": list(range(30)), "message": "m"}
    assert cells(doc, ["a.b", "c.d", "none", "what"]) == ["1; x; true", "1.5", "", "m"]
    assert cells(doc, ["e"])[0].endswith("; 19; …")


@pytest.mark.parametrize(
    ("doc", "text"),
    [
        ({"message": "logged in", "process": {"command_line": "cmd /c dir"}}, "cmd /c dir"),
        ({"event": {"original": "raw"}, "message": ""}, "raw"),
        ({"rule": {"name": "R"}, "message": "m", "vonggac": {"matched": {"Image": "x", "n": 1}}}, "R: Image=x; n=1"),
        ({"rule": {"name": "R"}, "vonggac": {"matched": []}}, "R"),
        (
            {"winlog": {"channel": "System", "event_data": {"param1": "x", "none": "-", "n": 2, "in": {"z": 1}}}},
            "param1=x; n=2; z=1",
        ),
        ({"zeek": {"conn": {"state": "S0"}, "uid": "C1"}, "source": {"ip": "192.0.2.1"}}, "uid=C1; state=S0"),
        ({"winlog": {"Event": {"System": {"EventID": 1}, "EventData": {"#attributes": {"Name": "x"}, "a": 1}}}}, "a=1"),
        ({"winlog": {"event_data": "text", "user_data": [1]}}, ""),
        ({"rule": "no object", "message": {"no": "text"}}, ""),
    ],
)
def test_the_most_telling_field(doc: dict[str, Any], text: str) -> None:
    assert telling(doc) == text
