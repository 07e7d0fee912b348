"""Times as logs write them: one form comes out, and what is no time is refused."""

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.reading.times import from_epoch, from_iso, iso, millis, nearest_year, zone

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.timezones())  # noqa: DTZ001


@given(MOMENTS)
def test_iso_is_utc_and_says_the_same_moment(moment: datetime) -> None:
    text = iso(moment)
    assert text.endswith("Z")
    assert len(text) == len("2026-03-01T02:03:04.000005Z")
    assert datetime.fromisoformat(text) == moment.astimezone(UTC)
    assert from_iso(text) == text


# ------------------------------------------------------------- ISO 8601 in


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T02:03:04.5Z",
        "2026-03-01T02:03:04.500000000Z",
        "2026-03-01T02:03:04,5Z",
        "2026-03-01 02:03:04.500",
        " 2026-03-01t02:03:04.5z ",
        "2026-03-01T09:03:04.500+07:00",
        "2026-03-01T09:03:04.5+0700",
        "20260301T020304.5Z",
    ],
)
def test_one_moment_written_in_many_ways(text: str) -> None:
    assert from_iso(text.upper()) == "2026-03-01T02:03:04.500000Z"


@given(
    st.from_regex(r"\A20[012][0-9]-(0[1-9]|1[0-3])-[0-3][0-9]T([01][0-9]|2[0-4]):[0-5][0-9]:[0-6][0-9](\.[0-9]{1,7})?"
                  r"(Z|[+-][01][0-9]:?[03]0|[+-]07:00:30|z|)\Z"),
    st.sampled_from([UTC, HANOI, ZoneInfo("Europe/Berlin")]),
)  # fmt: skip
def test_the_quick_way_and_the_slow_one_agree(text: str, where: tzinfo) -> None:
    found = []
    for one in (text, text.replace("T", "t")):  # only a T takes the quick way
        try:
            found.append(from_iso(one, where))
        except ValueError:
            found.append("refused")
    assert found[0] == found[1]


def test_a_time_without_an_offset_is_in_the_given_zone() -> None:
    assert from_iso("2026-03-01T09:03:04", HANOI) == "2026-03-01T02:03:04.000000Z"
    assert from_iso("2026-03-01", HANOI) == "2026-02-28T17:00:00.000000Z"
    assert from_iso("2026-03-01T09:03:04Z", HANOI) == "2026-03-01T09:03:04.000000Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "20260301",
        "1712061512345",
        "1712061512",
        "2026-03-01-12:30",
        "2026-13-01T00:00:00Z",
        "٢٠٢٦-03-01",
        "2026-03-01T020304.5.123456",
        "2026-03-01T02:03:04.١٢٣٤٥٦",
        "1",
    ],
)
def test_what_is_no_iso_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no ISO 8601 time"):
        from_iso(text)


def test_a_time_that_utc_has_no_year_for() -> None:
    with pytest.raises(ValueError, match="is no ISO 8601 time"):
        from_iso("9999-12-31T23:59:59-08:00")


@given(st.text())
def test_any_text_is_a_time_or_refused(text: str) -> None:
    for read in (from_iso, from_epoch):
        with suppress(ValueError):
            assert datetime.fromisoformat(read(text)).tzinfo


# -------------------------------------------------------------- epoch in


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1772330584.5, "2026-03-01T02:03:04.500000Z"),
        ("1772330584.000005", "2026-03-01T02:03:04.000005Z"),
        ("1772330584.0000059", "2026-03-01T02:03:04.000005Z"),
        (" 1772330584 ", "2026-03-01T02:03:04.000000Z"),
        (-1.5, "1969-12-31T23:59:58.500000Z"),
        ("-1.5", "1969-12-31T23:59:58.500000Z"),
    ],
)
def test_seconds_since_1970(seconds: float | str, text: str) -> None:
    assert from_epoch(seconds) == text


@given(st.integers(-62135596800, 253402300799), st.integers(0, 999_999))
def test_text_keeps_every_microsecond(second: int, micro: int) -> None:
    expected = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second, microseconds=micro)
    if second >= 0:
        assert from_epoch(f"{second}.{micro:06d}") == iso(expected)
    assert from_epoch(str(second)) == iso(expected.replace(microsecond=0))


@pytest.mark.parametrize(
    "seconds",
    ["", ".", "-", "--1", "1e5", "1_000", "١", "1.-5", "1.2.3", "nan", "9" * 5000, 1e300, math.inf, math.nan, 1 << 63],
)
def test_what_is_no_time_since_1970(seconds: float | str) -> None:
    with pytest.raises(ValueError, match="is no time in seconds since 1970"):
        from_epoch(seconds)


@given(st.floats())
def test_any_number_is_a_time_or_refused(number: float) -> None:
    with suppress(ValueError):
        assert datetime.fromisoformat(from_epoch(number)).tzinfo


# ------------------------------------------------- milliseconds, zones, years


@given(MOMENTS)
def test_millis_are_cut(moment: datetime) -> None:
    cut = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis(iso(moment)))
    assert timedelta(0) <= moment - cut < timedelta(milliseconds=1)


def test_millis_without_an_offset_are_utc() -> None:
    assert millis("1970-01-01T00:00:01.0019") == 1001


@pytest.mark.parametrize("name", ["Nowhere/Atlantis", "", "../etc/passwd", "a\0b", "/etc/localtime"])
def test_zones_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        zone(name)


def test_a_time_without_a_year_gets_the_nearest() -> None:
    new_year = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    assert nearest_year(12, 31, 23, 59, 0, new_year, UTC).year == 2025
    assert nearest_year(1, 1, 0, 4, 0, new_year, UTC).year == 2026
    november = datetime(2026, 11, 25, tzinfo=UTC)
    assert nearest_year(3, 1, 0, 0, 0, november, UTC).year == 2026, "96 days ahead would be nearer, and cannot be"
    assert nearest_year(11, 25, 20, 0, 0, november, UTC).year == 2026, "a clock may be ahead by hours"
    assert nearest_year(2, 29, 0, 0, 0, new_year, UTC).year == 2024


def test_a_day_that_no_year_has() -> None:
    with pytest.raises(ValueError, match="no such day"):
        nearest_year(2, 30, 0, 0, 0, datetime(2026, 1, 1, tzinfo=UTC), UTC)


@given(st.datetimes(datetime(1, 1, 2), timezones=st.just(timezone(timedelta(hours=7)))), st.integers(1, 12))  # noqa: DTZ001
def test_some_year_is_found_even_at_the_ends_of_time(near: datetime, month: int) -> None:
    assert nearest_year(month, 28, 12, 0, 0, near, HANOI).month == month
