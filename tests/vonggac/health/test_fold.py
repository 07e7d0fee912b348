"""The fold: what it tells of sources that are well or ill, and that it is a pure function of its records."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vonggac.health.fold import SERVICE, Fold
from vonggac.health.ledger import Day
from vonggac.health.measure import LIMIT, Measure, Shape, beat, line
from vonggac.settings import Health

START = 1_772_384_400  # Monday 2026-03-02 00:00 in Asia/Ho_Chi_Minh, s since 1970
DAY, HOUR = 86_400, 3_600

Sends = Callable[[int], Measure | None]  # append time -> what a source sent in that minute


def steady(events: int = 30, host: str = "fw1", **more: Any) -> Measure:
    return Measure("syslog", host, "", "syslog", unit="so-yte", events=events, **{"offset_s": 0.5, **more})


def minutes(begin: int, end: int, *sources: Sends) -> Iterator[tuple[int, list[bytes]]]:
    for at in range(begin, end, 60):
        yield at, [beat("x"), *(line(made) for source in sources if (made := source(at)))]


def play(fold: Fold, begin: float, end: float, *sources: Sends) -> list[dict[str, Any]]:
    """Let days pass, counted from Monday; gives the alerts, with `hours` since that Monday."""
    found: list[dict[str, Any]] = []
    for at, lines in minutes(START + int(begin * DAY), START + int(end * DAY), *sources):
        alerts = fold.feed(lines, datetime.fromtimestamp(at, UTC))
        found += [{**orjson.loads(alert), "hours": (at - START) / HOUR} for alert in alerts]
    return found


def told(alerts: list[dict[str, Any]]) -> list[str]:
    return [alert["rule"]["id"] for alert in alerts]


def state(fold: Fold) -> list[str]:
    return [one.state for one in fold.sources()]


@pytest.fixture
def fold() -> Fold:
    return Fold(Health())


# --------------------------------------------------------------------- silence


def test_a_regular_source_is_well(fold: Fold) -> None:
    assert play(fold, 0, 8, lambda at: steady()) == []
    assert state(fold) == ["ok"]


def test_a_source_that_stops_is_told_once_and_its_return_is_no_alert(fold: Fold) -> None:
    assert play(fold, 0, 2, lambda at: steady()) == []
    (alert,) = play(fold, 2, 3)
    assert alert["rule"]["id"] == "health/silence"
    assert alert["rule"]["level"] == "high"
    assert alert["hours"] == pytest.approx(48.25, abs=0.02)
    assert alert["host"] == {"name": "fw1"}
    assert alert["vonggac"]["unit"] == "so-yte"
    assert state(fold) == ["silence"]
    assert play(fold, 3, 3.1, lambda at: steady()) == []
    assert state(fold) == ["ok"]


def test_a_flapping_source_is_given_longer_each_time(fold: Fold) -> None:
    def flapping(at: int) -> Measure | None:
        return None if at >= START + DAY and at % HOUR < 20 * 60 else steady()

    assert told(play(fold, 0, 4, flapping)) == ["health/silence"]


def nightly(at: int) -> Measure | None:
    return steady(500) if 5_400 <= (at - START) % DAY < 5_700 else None  # 1:30 to 1:35


def test_a_nightly_batch_is_well_and_missed_in_the_first_night(fold: Fold) -> None:
    assert play(fold, 0, 14, nightly) == []
    (alert,) = play(fold, 14, 16)
    assert alert["rule"]["id"] == "health/silence"
    assert 14 * 24 + 1.5 < alert["hours"] < 14 * 24 + 2.5


def test_office_hours_weekends_and_a_holiday_are_no_silence(fold: Fold) -> None:
    def office(at: int) -> Measure | None:
        day, second = divmod(at - START, DAY)
        works = day % 7 < 5 and day != 15
        return steady(5) if works and 7.5 * HOUR < second < 17 * HOUR else None

    assert play(fold, 0, 21, office) == []
    (alert,) = play(fold, 21, 24)
    assert alert["hours"] > 21 * 24 + 24, "more than a whole day of its own"


def test_a_bursty_source_is_well(fold: Fold) -> None:
    def bursty(at: int) -> Measure | None:
        return steady(300) if (at // 1_800 * 7_919) % 11 < 2 else None  # half hours, by chance

    assert play(fold, 0, 10, bursty) == []


def test_a_source_seen_once_or_in_a_file_is_not_judged(fold: Fold) -> None:
    play(fold, 0, 0.01, lambda at: steady(host="once"), lambda at: steady(host="file", bounded=True))
    assert play(fold, 0.01, 1.9) == []
    assert play(fold, 1.9, 8, lambda at: steady()) == []
    assert [one.source.host for one in fold.sources()] == ["fw1"], "both are forgotten"


def test_our_own_rest_is_nobodys_silence(fold: Fold) -> None:
    play(fold, 0, 2, lambda at: steady())
    back = 4 + 4 / 1440  # two days later; the source connects again after four minutes
    assert play(fold, 4, back) == []
    assert play(fold, back, 5, lambda at: steady()) == []


def test_a_source_that_stays_away_after_our_rest_is_told(fold: Fold) -> None:
    play(fold, 0, 2, lambda at: steady())
    (alert,) = play(fold, 4, 4.1)
    assert alert["rule"]["id"] == "health/silence"


def test_many_that_fall_silent_at_once_are_one_alert(fold: Fold) -> None:
    sources = [lambda at, number=number: steady(host=f"pc{number}") for number in range(25)]
    play(fold, 0, 1.2, *sources)
    (alert,) = play(fold, 1.2, 1.3)
    assert alert["message"].startswith("25 sources have fallen silent at once")
    assert "host" not in alert
    assert set(state(fold)) == {"silence"}


# ------------------------------------------------------------------ the others


def day_and_night(at: int) -> Measure:
    return steady(1_000 if 7 <= (at - START) % DAY / HOUR < 18 else 50)


def test_days_and_nights_are_no_collapse(fold: Fold) -> None:
    assert play(fold, 0, 9, day_and_night) == []


def test_a_rate_that_falls_to_a_twentieth_is_told(fold: Fold) -> None:
    play(fold, 0, 4.4, day_and_night)
    (alert,) = play(fold, 4.4, 4.7, lambda at: steady(day_and_night(at).events // 20))
    assert alert["rule"]["id"] == "health/rate-collapse"
    assert alert["hours"] == pytest.approx(4.4 * 24 + 1 / 3, abs=0.1)
    assert alert["vonggac"]["matched"] == {"rate_per_hour": 3_000, "usual_per_hour": 60_000}
    assert state(fold) == ["rate-collapse"]
    play(fold, 4.7, 5.4, day_and_night)
    assert state(fold) == ["ok"]


def test_a_source_that_falls_so_low_by_nature_is_told_once_at_most(fold: Fold) -> None:
    def noisy(at: int) -> Measure:
        low = (at // 1_800 * 7_919) % 211 < 6  # half an hour at 3 %, about once a day
        return steady(30 if low else 1_000)

    assert len(play(fold, 0, 21, noisy)) <= 1


def test_a_lower_rate_that_stays_becomes_usual(fold: Fold) -> None:
    play(fold, 0, 4, lambda at: steady(1_000))
    assert told(play(fold, 4, 28, lambda at: steady(50))) == ["health/rate-collapse"]
    assert state(fold) == ["ok"]


def test_records_that_cannot_be_read_are_told_once(fold: Fold) -> None:
    play(fold, 0, 0.1, lambda at: steady())
    (alert,) = play(fold, 0.1, 0.2, lambda at: steady(20, failed=10))
    assert alert["rule"]["id"] == "health/parse-failures"
    assert state(fold) == ["parse-failures"]
    play(fold, 0.2, 0.3, lambda at: steady())
    assert state(fold) == ["learning"]
    assert play(fold, 0.3, 0.35, lambda at: steady(20, failed=10)) == [], "back within hours: the same episode"


@pytest.mark.parametrize("offset", [600.0, -600.0])
def test_a_clock_that_is_ten_minutes_wrong_is_told_once(fold: Fold, offset: float) -> None:
    (alert,) = play(fold, 0, 0.5, lambda at: steady(offset_s=offset))
    assert alert["rule"]["id"] == "health/clock"
    assert alert["hours"] <= 0.3
    play(fold, 0.5, 0.6, lambda at: steady())
    assert state(fold) == ["learning"]


def test_a_backlog_and_a_rare_late_event_are_no_wrong_clock(fold: Fold) -> None:
    assert play(fold, 0, 0.1, lambda at: steady(offset_s=max(7_200.0 - 5 * (at - START), 0.5))) == []
    assert play(fold, 0.1, 0.2, lambda at: steady(offset_s=2_592_000.0 - 2 * (at - START))) == [], "an old log is read"
    assert play(fold, 0.2, 0.5, lambda at: steady(offset_s=4_000.0 if at % 1_200 == 0 else 1.0)) == []


def shaped(**names: int) -> Sends:
    def sends(at: int) -> Measure:
        some = {name.replace("__", "."): count for name, count in names.items()}
        return steady(shape=Shape(12, {"@timestamp": 12, **some}) if at % 600 == 0 else None)

    return sends


def test_a_sender_that_renames_fields_is_told(fold: Fold) -> None:
    assert play(fold, 0, 2, shaped(user__name=12, process__name=4)) == []
    (alert,) = play(fold, 2, 3, shaped(user__account=12, process__name=4))
    assert alert["rule"]["id"] == "health/shape-change"
    assert alert["vonggac"]["matched"] == {"gone": ["user.name"], "new": ["user.account"]}
    assert alert["hours"] <= 49
    assert play(fold, 3, 4.2, shaped(user__account=12)) == [], "what came only at times may stay away"
    assert state(fold) == ["ok"]


def test_a_new_source_is_learning(fold: Fold) -> None:
    assert play(fold, 0, 0.5, lambda at: steady()) == []
    assert state(fold) == ["learning"]


# ------------------------------------------------------------------------ days


def test_a_day_that_is_over_is_a_row(fold: Fold) -> None:
    play(fold, 0.5, 1.5, lambda at: None if at % HOUR < 120 else steady(failed=1))
    own, row = fold.take_days()
    assert (own.day, own.source, own.events, own.watched) == ("2026-03-02", SERVICE, row.events, 720)
    assert row == Day(
        "2026-03-02",
        steady().key,
        "so-yte",
        events=696 * 30,
        failed=696,
        first="2026-03-02T05:02:00.000000Z",
        last="2026-03-02T16:59:00.000000Z",
        silent=22,  # two minutes of each hour; before its first record it was not known
        watched=718,
        offset_s=0.5,
        changes=(),
    )
    assert fold.take_days() == [], "each once"


def test_changes_of_state_stand_in_the_row(fold: Fold) -> None:
    play(fold, 0, 1.5, lambda at: steady())
    play(fold, 1.5, 1.6)
    play(fold, 1.6, 2.01, lambda at: steady())
    row = fold.take_days()[-1]
    assert [change.partition(" ")[2] for change in row.changes] == ["health/silence begins", "health/silence ends"]


def test_a_day_in_which_we_were_down_is_closed_by_the_next_record(fold: Fold) -> None:
    play(fold, 0.5, 0.6, lambda at: steady())
    play(fold, 3.5, 3.6, lambda at: steady())
    assert [(row.day, row.watched) for row in fold.take_days()] == [("2026-03-02", 144), ("2026-03-02", 144)]


def test_a_silent_source_has_its_row_and_a_file_only_with_events(fold: Fold) -> None:
    play(fold, 0, 1.01, lambda at: steady(), lambda at: steady(host="file", bounded=True))
    assert len(fold.take_days()) == 3
    play(fold, 1.01, 3.01)
    assert [(row.day, row.source.host, row.events) for row in fold.take_days()][3:] == [
        ("2026-03-04", "", 0),
        ("2026-03-04", "fw1", 0),
    ]


# ------------------------------------------------------------------ pure, bounded


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, list[bytes]]]:
    """Draw batches: beats and measurements of three sources, with rests of minutes to days between."""
    at, batches = START, []
    for _ in range(draw(st.integers(1, 25))):
        step = draw(st.sampled_from([0, 10, 60, 60, 80, 700, 5_000, 100_000]))
        count = draw(st.integers(1, 90))
        kinds = draw(st.lists(st.sampled_from("abc"), max_size=3))
        for _ in range(count if 0 < step < 90 else 1):
            at += step
            lines = [beat("x")]
            for kind in kinds:
                made = {
                    "a": steady(50, "a", failed=draw(st.integers(0, 2)) * 30),
                    "b": steady(3, "b", offset_s=600.0, shape=Shape(60, {"x": 60})),
                    "c": steady(9, "c", bounded=True),
                }[kind]
                lines.append(line(made))
            batches.append((at, lines))
    return batches


def outcome(batches: list[tuple[int, list[bytes]]], cut: Callable[[int], bool], split: int) -> object:
    fold, alerts, days = Fold(Health()), [], []
    for number, (at, lines) in enumerate(batches):
        for begin in range(0, len(lines), split):
            alerts += fold.feed(lines[begin : begin + split], datetime.fromtimestamp(at, UTC))
            if cut(number):
                kept = fold.snapshot()
                fold = Fold(Health())
                fold.restore(kept)
        if cut(number + 1):
            days += fold.take_days()
    return alerts, days + fold.take_days(), fold.snapshot()


@settings(max_examples=25)
@given(histories(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_feeds_and_snapshots_change_nothing(batches: list[tuple[int, list[bytes]]], rng: Any, split: int) -> None:
    whole = outcome(batches, lambda number: False, 9)
    assert outcome(batches, lambda number: rng.random() < 0.2, split) == whole


def test_a_long_history_cut_anywhere_gives_the_same(fold: Fold) -> None:
    def some(at: int) -> Measure | None:
        return None if 50 < (at - START) / HOUR < 50.2 else steady(1_000 if at < START + 5 * DAY else 40)

    batches = list(minutes(START, START + int(5.4 * DAY), some, nightly))
    whole = outcome(batches, lambda number: False, 9)
    assert told([orjson.loads(one) for one in whole[0]]) == ["health/rate-collapse"]  # type: ignore[index]
    assert outcome(batches, lambda number: number % 97 == 0, 1) == whole


def test_records_that_are_no_measurement_are_counted(fold: Fold) -> None:
    assert fold.feed([b"{", b"{}", beat("x")], datetime.fromtimestamp(START, UTC)) == []
    assert fold.unread == 2


@pytest.mark.parametrize("kept", [b"", b"{}", b"[]", b"[2]", b'[1,"x"]'])
def test_a_snapshot_that_is_none_is_refused(fold: Fold, kept: bytes) -> None:
    with pytest.raises(ValueError):
        fold.restore(kept)


def test_a_flood_of_names_is_bounded(fold: Fold) -> None:
    lines = [line(steady(host=f"h{number}")) for number in range(LIMIT + 50)]
    fold.feed(lines, datetime.fromtimestamp(START, UTC))
    found = fold.sources()
    assert len(found) == LIMIT + 1
    assert found[-1].state == "others"
