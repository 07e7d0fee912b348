"""When a source counts as ill, and what the alert says."""

from typing import Any

import orjson
import pytest

from vonggac.event import Alert, RuleRef
from vonggac.health import rules
from vonggac.health._trail import Trail, Usual
from vonggac.health.measure import Source
from vonggac.settings import Health
from vonggac.testing import make_event

AT = 1_772_352_000  # 2026-03-01 08:00 UTC
KEY = Source("syslog", "pc1", "syslog.auth")


def trail(**more: Any) -> Trail:
    return Trail(KEY, AT - 86_400, **{"last": AT, "days": 9, "minutes": 999, **more})


def week(present: dict[int, float], rate: float = 0.0, low: float = 0.0) -> dict[int, Usual]:
    return {hour: Usual(9, present.get(hour, 0.0), rate, low) for hour in range(48)}


ALWAYS = week(dict.fromkeys(range(48), 1.0), rate=4_000, low=3_200)


@pytest.mark.parametrize(
    ("source", "limit"),
    [
        (trail(week=ALWAYS), 15),  # the least that the setting says
        (trail(week=ALWAYS, gap=30), 90),  # three times its own longest gap
        (trail(week=week(dict.fromkeys(range(8, 17), 1.0)), gap=20), 1.2 * 9 * 60),  # more than its whole day
        (trail(week=week({1: 1.0}), gap=60), 90),  # each night, at one
        (trail(week=week(dict.fromkeys(range(48), 0.5)), gap=600), 1_800),  # comes by chance: 1.5 + 3 * 0.5 times
        (trail(days=4, week=week({1: 1.0}), gap=60), 180),  # in its first week twice that
        (trail(days=1, week={}), 72 * 60),  # its nights and weekends are not known
        (trail(days=1, minutes=3, week={}), None),  # seen once
        (trail(last=0), None),  # never an event: a listener
        (Trail(KEY._replace(bounded=True), AT, last=AT, days=5, week=ALWAYS), None),
        (Trail(Source("*", "*"), AT, last=AT, days=5, week=ALWAYS), None),
    ],
)
def test_how_long_a_source_may_be_silent(source: Trail, limit: float | None) -> None:
    assert rules.silence_limit(source, Health()) == (None if limit is None else pytest.approx(limit))


@pytest.mark.parametrize(
    ("events", "more", "found"),
    [
        (1_000, {}, None),
        (50, {}, (200.0, 4_000)),  # 5 %
        (150, {}, None),  # 15 %
        (0, {}, None),  # silence, not collapse
        (50, {"week": week({}, rate=4_000, low=300)}, None),  # its own past was as low
        (1, {"week": week({}, rate=100, low=90)}, None),  # 25 expected: may be chance
        (50, {"week": {}}, None),
        (50, {"floor": 0.09}, None),  # falls so low by nature
        (50, {"floors": 10}, None),  # not known for a day yet
    ],
)
def test_a_rate_is_judged_by_its_own_usual(events: int, more: dict[str, Any], found: object) -> None:
    window = [[events, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert (
        rules.collapsed(trail(window=window, **{"week": ALWAYS, "floor": 0.8, "floors": 999, **more}), 8, Health())
        == found
    )


@pytest.mark.parametrize(
    ("window", "worth"),
    [
        ([[10, 30, 0]], True),
        ([[10, 10, 0], [10, 10, 0], [10, 10, 0]], True),
        ([[0, 29, 0]], False),  # too few
        ([[150, 30, 0]], False),  # 17 %
        ([[0, 30, 1_000]], False),  # a listener, most of whose hosts are readable
        ([], False),
    ],
)
def test_failures_need_a_number_and_a_share(window: list[list[int]], worth: bool) -> None:
    assert rules.too_many(*rules.failing(trail(window=window)), Health()) is worth


def test_an_alert_has_the_shape_of_all_alerts() -> None:
    made = orjson.loads(rules.alert(rules.SILENCE, KEY, "so-yte", AT, AT + 900, "text", {"a": 1}, level="high"))
    rule = RuleRef("r", "name", "high", "vonggac", "1")
    other = orjson.loads(Alert(rule, make_event(host__name="x", vonggac__unit="u", vonggac__collector="c", message="m",
                                               event__module="m", event__dataset="d")).to_json("now"))  # fmt: skip
    assert [*made] == [*other]
    for part in ("event", "rule", "threat"):
        assert [*made[part]] == [*other[part]]
    assert sorted(made["vonggac"]) == sorted(other["vonggac"])
    assert made["event"]["severity"] == 73
    assert made["@timestamp"] == "2026-03-01T08:15:00.000000Z"


def test_an_episode_is_one_id() -> None:
    def of(key: Source, slot: int, at: int) -> str:
        return str(orjson.loads(rules.alert(rules.SILENCE, key, "", slot, at, "", {}))["event"]["id"])

    assert of(KEY, AT, AT + 900) == of(KEY, AT, AT + 910) == "751691a7da943e1e716f0d94bdc632de"
    assert len({of(KEY, AT, 0), of(KEY, AT + 60, 0), of(KEY._replace(host="pc2"), AT, 0)}) == 3


def test_an_exercise_shows_in_the_alert() -> None:
    made = orjson.loads(rules.alert(rules.CLOCK, KEY._replace(drill="dt-2026"), "", AT, AT, "", {}))
    assert made["labels"] == {"drill": "dt-2026"}


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        (rules.silence_message(trail(gap=5), 15), ("syslog pc1 syslog.auth", "2026-03-01 15:00 +07:00", "15 min")),
        (rules.collapse_message(trail(), 200, 4_000, AT), ("200 events an hour", "usual at this hour are 4,000")),
        (rules.failures_message(trail(), 1_500, 0.3, AT), ("1,500 records, 30%", "topic `dead`")),
        (rules.clock_message(trail(), 600, AT), ("10 min behind ours", "NTP")),
        (rules.clock_message(trail(), -25_200, AT), ("7.0 h ahead of ours",)),
        (
            rules.shape_message(trail(), ["user.name"], ["user.account"], AT),
            ("gone: user.name", "new are user.account"),
        ),
        (rules.many_silent_message([trail()] * 25), ("25 sources", "and 5 more")),
    ],
)
def test_a_message_says_what_since_when_and_what_is_usual(message: str, parts: tuple[str, ...]) -> None:
    assert [part for part in parts if part not in message] == []


def test_a_duration_is_written_for_people() -> None:
    assert [rules.span(one) for one in (15, 119, 210, 4_320)] == ["15 min", "119 min", "3.5 h", "3.0 d"]
