"""What an answer comes to: figures that anyone can count by hand, and bounds that are told."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.event import fold
from vonggac.hunting import stats
from vonggac.hunting.stats import Group, Stats, Summary


def doc(name: str | None, host: str = "ws01", time: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"host": {"name": host}, "@timestamp": time}
    return made if name is None else {**made, "process": {"name": name}}


def summed(docs: list[dict[str, Any]], *fields: str, chunk: int = 3, groups: int = 100) -> Stats:
    summary = Summary(fields, chunk=chunk, groups=groups)
    summary.add(docs)
    return summary.done()


def test_counts_shares_first_and_last() -> None:
    found = summed(
        [
            doc("cmd.exe", time="2026-03-01T08:00:00+07:00"),  # 01:00 UTC
            doc("CMD.EXE", time="2026-03-01T03:00:00Z"),
            doc("evil.exe", time="2026-03-01T02:00:00.5Z"),
            doc("cmd.exe", time="2026-03-01T02:00:00Z"),
            doc(None),
        ],
        "process.name",
    )
    assert found == Stats(
        5,
        (
            Group(("cmd.exe",), 3, 0.6, "2026-03-01T01:00:00.000000Z", "2026-03-01T03:00:00.000000Z"),
            Group((None,), 1, 0.2, None, None),
            Group(("evil.exe",), 1, 0.2, "2026-03-01T02:00:00.500000Z", "2026-03-01T02:00:00.500000Z"),
        ),
    )


def test_two_fields_are_counted_together() -> None:
    found = summed([doc("a", "x"), doc("a", "y"), doc("b", "x"), doc("a", "x")], "process.name", "host.name")
    assert [(group.values, group.count) for group in found.groups] == [
        (("a", "x"), 2),
        (("a", "y"), 1),
        (("b", "x"), 1),
    ]


def test_an_event_counts_once_for_each_value_of_a_list() -> None:
    docs: list[dict[str, Any]] = [{"host": {"ip": ["10.0.0.1", "10.0.0.2", "10.0.0.1"]}}, {"host": {"ip": "10.0.0.2"}}]
    found = summed(docs, "host.ip")
    assert [(group.values, group.count, group.share) for group in found.groups] == [
        (("10.0.0.2",), 2, 1.0),
        (("10.0.0.1",), 1, 0.5),
    ]


def test_rows_of_sql_have_their_time_in_ts() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    found = summed([{"code": 1, "ts": at}, {"code": 1, "ts": "2026-03-01 00:00:05"}], "code")
    assert found.groups == (Group(("1",), 2, 1.0, "2026-03-01T00:00:00.000000Z", "2026-03-01T00:00:05.000000Z"),)


def test_a_field_that_is_empty_is_not_a_field_that_is_missing() -> None:
    assert {group.values for group in summed([doc(""), doc(None)], "process.name").groups} == {("",), (None,)}


def test_no_events() -> None:
    assert summed([], "a") == Stats(0, ())


def test_beyond_the_bound_of_groups_the_first_are_exact_and_the_others_counted() -> None:
    names = ["a", "b", "c", "a", "c", "b", "d", "a"]
    found = summed([doc(name) for name in names], "process.name", chunk=2, groups=2)
    assert [(group.values[0], group.count) for group in found.groups] == [("a", 3), ("b", 2)]
    assert (found.rows, found.left_out) == (8, 3)


def test_the_letters_of_all_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "LETTERS", 10)
    found = summed([doc("aaaa"), doc("bbbbbbbb"), doc("c"), doc("aaaa")], "process.name", chunk=1)
    assert [(group.values[0], group.count) for group in found.groups] == [("aaaa", 2)]
    assert found.left_out == 2


def test_long_values_are_cut_and_many_combined_values_told() -> None:
    found = summed([doc("x" * 5_000), doc("x" * 6_000)], "process.name")
    assert [(len(str(group.values[0])), group.count) for group in found.groups] == [(1_001, 2)]
    many = {"a": [str(n) for n in range(100)], "b": [str(n) for n in range(100)]}
    assert summed([many], "a", "b").left_out == 1


@given(st.lists(st.tuples(st.none() | st.text(max_size=2), st.sampled_from("xyZz")), max_size=30), st.integers(1, 9))
def test_it_counts_as_a_counter_does_whatever_the_pieces(rows: list[tuple[str | None, str]], chunk: int) -> None:
    docs = [doc(name, host) for name, host in rows]
    found = summed(docs, "process.name", "host.name", chunk=chunk)
    expected = Counter((None if name is None else fold(name), fold(host)) for name, host in rows)
    assert {tuple(one and fold(one) for one in group.values): group.count for group in found.groups} == expected
    assert [group.count for group in found.groups] == sorted(expected.values(), reverse=True)
