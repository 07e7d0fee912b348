from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.reading.clock import Clock
from vonggac.reading.times import zone


def clock() -> Clock:
    return Clock(zone("Asia/Ho_Chi_Minh"), datetime(2026, 3, 1, tzinfo=UTC))


def test_without_a_year_the_nearest_counts() -> None:
    assert clock().bsd("Mar  1 08:02", "03") == "2026-03-01T01:02:03.000000Z"
    assert clock().bsd("Dec 31 08:02", "03", "5") == "2025-12-31T01:02:03.500000Z"
    assert clock().bsd("Dec 31 2019 08:02", "03") == "2019-12-31T01:02:03.000000Z"


def test_what_is_no_time_is_none() -> None:
    assert clock().bsd("Feb 30 08:02", "03") is None
    assert clock().numeric("2026-13-01T08:02", "03", None, "Z") is None
    assert clock().numeric("2026-01-01T08:02", "03", None, "+99:00") is None
    assert clock().numeric("0001-01-01T00:02", "03", None, "+07:00") is None


def test_a_leap_second_is_the_second_before_it() -> None:
    assert clock().numeric("2016-12-31T23:59", "60", None, "Z") == "2016-12-31T23:59:59.000000Z"


@pytest.mark.parametrize(
    ("line", "time", "inferred"),
    [
        ("2026-03-01 08:02:03,123 INFO x", "2026-03-01T01:02:03.123000Z", True),
        ("2026-03-01T01:02:03.123456789Z x", "2026-03-01T01:02:03.123456Z", False),
        ("2026-03-01 01:02:03.5 UTC [147] x", "2026-03-01T01:02:03.500000Z", False),
        ("[2026-03-01 08:02:03.5 +07:00] [INF] x", "2026-03-01T01:02:03.500000Z", False),
        ("[GIN] 2026/03/01 - 08:02:03 | 401", "2026-03-01T01:02:03.000000Z", True),
        ("Start-Date: 2026-03-01  08:02:03", "2026-03-01T01:02:03.000000Z", True),
        ("2026-03-01  8:02:03 8 [Warning] x", "2026-03-01T01:02:03.000000Z", True),
        ("01-Mar-2026 08:02:03.425 client x", "2026-03-01T01:02:03.425000Z", True),
        ("[01/Mar/2026:08:02:03 +0700] x", "2026-03-01T01:02:03.000000Z", False),
        ("at [Sun, 1 Mar 2026 01:02:03.5 UTC] x", "2026-03-01T01:02:03.500000Z", False),
        ("[Sun Mar 01 08:02:03.5 2026] [error] x", "2026-03-01T01:02:03.500000Z", True),
        ("Sun Mar  1 08:02:03 2026 us=1 x", "2026-03-01T01:02:03.000000Z", True),
        ("Mar  1 08:02:03 x", "2026-03-01T01:02:03.000000Z", True),
        ("1772326923.129 200 TCP_MISS", "2026-03-01T01:02:03.129000Z", False),
        ("version 12.34.56 of nothing", None, False),
        ("", None, False),
    ],
)
def test_times_are_found_in_any_line(line: str, time: str | None, inferred: bool) -> None:
    assert clock().find(line) == (time, inferred)


@given(st.text(max_size=150))
def test_finding_never_raises(line: str) -> None:
    clock().find(line)


@given(st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}[+-][0-9]{4} x", fullmatch=True))
def test_all_that_looks_like_a_time_is_one_or_none(line: str) -> None:
    time, _ = clock().find(line)
    assert time is None or datetime.fromisoformat(time)
