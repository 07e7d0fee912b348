"""A clock that was set is noticed, whichever way; one that runs is not."""

from datetime import UTC, datetime, timedelta

import pytest

from vonggac.pipeline.clockwatch import Clockwatch

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(10, ""), (9, ""), (11.5, ""), (3_610, "set forward by 3600 s"), (-3_590, "set back by 3600 s")],
)
def test_ten_seconds_later(seconds: float, said: str) -> None:
    watch = Clockwatch()
    assert watch.look(AT, 100.0) == ""
    line = watch.look(AT + timedelta(seconds=seconds), 110.0)
    assert bool(line) == bool(said)
    assert said in line


def test_it_is_said_once() -> None:
    watch = Clockwatch()
    watch.look(AT, 100.0)
    assert watch.look(AT - timedelta(hours=1), 101.0)
    assert not watch.look(AT - timedelta(hours=1) + timedelta(seconds=1), 102.0)


def test_how_far_it_was_set_is_taken_once() -> None:
    watch = Clockwatch()
    watch.look(AT, 100.0)
    watch.look(AT - timedelta(hours=1), 100.0)
    watch.look(AT - timedelta(minutes=50), 101.0)
    assert watch.take() == -3_001
    assert watch.take() == 0
