"""The records of topic `health`."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.health.measure import Measure, Own, Shape, Source, beat, line, read


def test_a_measurement_is_a_line_without_what_is_nothing() -> None:
    made = Measure("syslog", "pc1", "2026-03-01T08:00:10Z", "syslog.auth", unit="so-yte", events=3, offset_s=0.26)
    assert orjson.loads(line(made)) == {
        "source": {"collector": "syslog", "host": "pc1", "dataset": "syslog.auth", "unit": "so-yte"},
        "slot": "2026-03-01T08:00:10Z",
        "seconds": 10,
        "events": 3,
        "offset_s": 0.3,
    }
    assert made.key == Source("syslog", "pc1", "syslog.auth")


def test_a_beat_is_a_line() -> None:
    assert beat("2026-03-01T08:00:10Z") == b'{"beat":"2026-03-01T08:00:10Z"}'
    assert read(beat("2026-03-01T08:00:10Z")) is None


def test_a_beat_says_of_the_service_what_is_not_as_it_should_be() -> None:
    well = beat("2026-03-01T08:00:10Z", Own(disk=0.412))
    assert well == b'{"beat":"2026-03-01T08:00:10Z","own":{"disk":0.412}}'
    ill = Own(0.04, full=True, lost={"syslog-udp": (7, 0)}, behind={"store": 400.0}, died={"detect-0": 3}, clock=-60)
    assert read(beat("2026-03-01T08:00:20Z", ill)) == ill


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"{}",
        b"[]",
        b'{"source": 1}',
        b'{"source": {"collector": "x"}}',
        b'{"beat": "x", "own": {"lost": 7}}',
        b"\xff",
    ],
)
def test_anything_else_is_named(record: bytes) -> None:
    with pytest.raises(ValueError):
        read(record)


@given(
    st.builds(
        Measure,
        st.text(),
        st.text(),
        st.text(),
        st.text(),
        drill=st.text(),
        bounded=st.booleans(),
        unit=st.text(),
        seconds=st.integers(1, 600),
        events=st.integers(0, 10**9),
        failed=st.integers(0, 10**9),
        offset_s=st.none() | st.integers(-9_999, 9_999).map(float),
        shape=st.none() | st.builds(Shape, st.integers(0, 99), st.dictionaries(st.text(), st.integers(0, 99))),
    )
)
def test_what_is_written_is_read(measure: Measure) -> None:
    assert read(line(measure)) == measure
    assert b"\n" not in line(measure)
