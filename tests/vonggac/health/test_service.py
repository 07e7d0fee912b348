"""What the service says of itself becomes alerts: one an episode, the same on every replay."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.health.fold import Fold
from vonggac.health.measure import Own, beat
from vonggac.health.service import Watch
from vonggac.settings import Health

AT = 1_772_352_000  # 2026-03-01 08:00 UTC
HOUR = 3_600
WELL = Own(disk=0.5)


def told(beats: Iterable[tuple[int, Own]], watch: Watch | None = None) -> list[dict[str, Any]]:
    """Let the service say things of itself, at seconds from the start; gives the alerts, with `at`."""
    watch = watch or Watch()
    found = []
    for at, own in beats:
        found += [{**orjson.loads(one), "at": at} for one in watch.judge(own, AT + at)]
    return found


def lasting(own: Own, begin: int, end: int) -> list[tuple[int, Own]]:
    return [(at, own) for at in range(begin, end, 10)]


def kinds(alerts: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [(one["rule"]["id"], one["rule"]["level"], one["at"]) for one in alerts]


def test_a_service_that_is_well_says_nothing() -> None:
    well = Own(disk=0.15, behind={"detect": 2.0, "store": 3.1})
    assert told(lasting(well, 0, HOUR)) == []


# ------------------------------------------------------------------------ disk


def test_a_disk_that_fills_is_told_twice() -> None:
    falling = [(100 - free, Own(disk=free / 100, full=free < 5)) for free in range(100, 0, -1)]
    low, floor = told(falling)
    assert (low["rule"]["id"], low["rule"]["level"], low["at"]) == ("health/disk-low", "medium", 86)
    assert (floor["rule"]["id"], floor["rule"]["level"], floor["at"]) == ("health/disk-low", "high", 96)
    assert low["event"]["id"] != floor["event"]["id"]
    assert low["message"].startswith("14.0% of the disk are free since 2026-03-01 15:01 +07:00")
    assert "nothing more is taken in" in floor["message"]
    assert "Add disk" in floor["message"]


def test_a_disk_that_is_full_at_once_is_told_once() -> None:
    assert kinds(told([(0, WELL), (10, Own(disk=0.01, full=True))])) == [("health/disk-low", "high", 10)]


def test_a_floor_of_bytes_counts_as_well() -> None:
    (alert,) = told([(0, Own(disk=0.3, full=True))])
    assert alert["rule"]["level"] == "high"


def test_retention_at_its_floor_is_told() -> None:
    (_, floor) = told([(0, Own(disk=0.12)), (10, Own(disk=0.09, kept=True))])
    assert floor["rule"]["level"] == "high"
    assert "younger than the floor of retention" in floor["message"]


def test_a_disk_at_the_limit_is_one_episode() -> None:
    waving = [(at, Own(disk=0.14 if at % 20 else 0.17)) for at in range(0, HOUR, 10)]
    assert kinds(told(waving)) == [("health/disk-low", "medium", 10)]
    later = [(0, Own(disk=0.1)), (10, WELL), (7 * HOUR, Own(disk=0.1))]
    assert len({one["event"]["id"] for one in told(later)}) == 2, "another episode"


# ---------------------------------------------------------------------- losses


def test_what_is_lost_is_told_with_its_number_and_what_helps() -> None:
    beats = [
        (0, Own(lost={"syslog-udp": (7, 0)})),
        (10, Own(lost={"syslog-udp": (1_000, 3)})),
        *lasting(WELL, 20, HOUR),
    ]
    (alert,) = told(beats)
    assert kinds([alert]) == [("health/events-dropped", "high", 60)]
    assert alert["message"].startswith(
        "syslog-udp: 1,010 lost since 2026-03-01 15:00 +07:00: 1,007 by the kernel, whose buffer was full, 3 by us."
    )
    assert "net.core.rmem_max" in alert["message"]
    assert alert["vonggac"]["matched"] == {"intake": "syslog-udp", "kernel": 1_007, "own": 3}


def test_a_loss_that_goes_on_is_told_again_after_six_hours_with_what_came_since() -> None:
    alerts = told(lasting(Own(lost={"capture-eth0": (0, 1)}), 0, 7 * HOUR))
    assert kinds(alerts) == [("health/events-dropped", "high", 60), ("health/events-dropped", "high", 60 + 6 * HOUR)]
    assert alerts[0]["vonggac"]["matched"]["own"] == 7
    assert alerts[1]["vonggac"]["matched"]["own"] == 6 * 360
    assert "capture.filter" in alerts[1]["message"]


def test_each_intake_has_its_own_episode() -> None:
    both = Own(lost={"syslog-udp": (1, 0), "syslog-tcp": (0, 1)})
    alerts = told([(0, both), *lasting(WELL, 10, 9 * HOUR), (9 * HOUR, both), *lasting(WELL, 9 * HOUR, 10 * HOUR)])
    assert len({one["event"]["id"] for one in alerts}) == len(alerts) == 4


# ------------------------------------------------------------------------- lag


def test_a_task_that_stays_behind_is_told_once() -> None:
    growing = [(at, Own(behind={"detect": float(at)})) for at in range(0, HOUR, 10)]
    (alert,) = told(growing)
    assert kinds([alert]) == [("health/behind", "high", 610)]
    assert "alerts come so late" in alert["message"]
    assert alert["message"].startswith("detect is 10 min behind with what came in, since 2026-03-01 15:05 +07:00")


def test_a_backlog_after_a_rest_is_caught_up_in_silence() -> None:
    caught_up = [(at, Own(behind={"store": 7_200.0 - 30 * at})) for at in range(0, 240, 10)]
    assert told([(0, Own(behind={"store": 400.0})), *[(7_200 + at, own) for at, own in caught_up]]) == []


# ---------------------------------------------------------------------- deaths


def test_three_deaths_within_ten_minutes_are_told() -> None:
    died = [(0, {}), (10, {"detect-0": 1}), (200, {"detect-0": 2}), (500, {"detect-0": 3, "store-0": 1})]
    (alert,) = told((at, Own(died=counts)) for at, counts in died)
    assert kinds([alert]) == [("health/role-restarts", "high", 500)]
    assert alert["message"].startswith("detect-0 died 3 times since 2026-03-01 15:00 +07:00")


def test_deaths_far_apart_are_not() -> None:
    assert told((HOUR * n, Own(died={"detect-0": n})) for n in range(9)) == []


def test_a_supervisor_that_begins_anew_counts_anew() -> None:
    died = [{"collect-0": 5}, {}, {"collect-0": 1}, {"collect-0": 2}, {"collect-0": 2}]
    assert kinds(told((20 * HOUR * (n == 0) + 40 * HOUR + n, Own(died=one)) for n, one in enumerate(died)))[0][2] == (
        60 * HOUR
    ), "five in one beat are more than two"


# ------------------------------------------------------------ damage and clock


def test_each_further_damage_is_told() -> None:
    files = [0, 1, 1, 3, 2, 3]
    alerts = told((10 * n, Own(damaged=count)) for n, count in enumerate(files))
    assert kinds(alerts) == [("health/store-damaged", "high", at) for at in (10, 30, 50)]
    assert "3 files of the event store are damaged" in alerts[-1]["message"]


def test_a_clock_that_is_set_is_told_at_most_once_an_hour() -> None:
    alerts = told((60 * n, Own(clock=-7_200)) for n in range(61))
    assert kinds(alerts) == [("health/clock-set", "medium", 0), ("health/clock-set", "medium", HOUR)]
    assert "was set back by 2.0 h at 2026-03-01 15:00 +07:00" in alerts[0]["message"]
    assert "set forward by 10 min" in told([(0, Own(clock=600))])[0]["message"]


# ---------------------------------------------------------------------- replay


@pytest.mark.parametrize(
    "own",
    [
        Own(disk=0.01, full=True),
        Own(lost={"syslog-udp": (1, 1)}),
        Own(behind={"store": 900.0}),
        Own(died={"desk-0": 3}),
        Own(damaged=1),
        Own(clock=60),
    ],
)
def test_every_alert_is_one_that_others_read(own: Own) -> None:
    (alert,) = told(lasting(own, 0, 400))
    alert.pop("at")
    line = orjson.dumps(alert)
    assert orjson.loads(line)["event"]["dataset"] == "vonggac.health"
    assert "host" not in alert
    assert len(alert["message"]) < 500


owns = st.builds(
    Own,
    disk=st.sampled_from([0.5, 0.155, 0.12, 0.03]),
    full=st.booleans(),
    kept=st.booleans(),
    lost=st.dictionaries(st.sampled_from(["syslog-udp", "capture-x"]), st.tuples(st.integers(0, 9), st.integers(0, 9))),
    behind=st.dictionaries(st.sampled_from(["detect", "store"]), st.sampled_from([10.0, 400.0, 9_000.0])),
    died=st.dictionaries(st.sampled_from(["detect-0", "desk-0"]), st.integers(1, 9)),
    damaged=st.integers(0, 2),
    clock=st.sampled_from([0, 0, 60, -3_600]),
)


@given(
    st.lists(st.tuples(st.sampled_from([0, 10, 60, 100, 400, 4_000, 30_000]), owns), max_size=20), st.integers(0, 20)
)
def test_a_replay_says_the_same_from_any_snapshot_on(steps: list[tuple[int, Own]], cut: int) -> None:
    at, beats = AT, list[tuple[int, bytes]]()
    for step, own in steps:
        at += step
        beats.append((at, beat("x", own)))

    def feed(fold: Fold, some: list[tuple[int, bytes]]) -> list[bytes]:
        return [alert for at, one in some for alert in fold.feed([one], datetime.fromtimestamp(at, UTC))]

    whole = feed(Fold(Health()), beats)
    first, second = Fold(Health()), Fold(Health())
    before = feed(first, beats[:cut])
    second.restore(first.snapshot())
    assert before + feed(second, beats[cut:]) == whole
    ids = [orjson.loads(one)["event"]["id"] for one in whole]
    assert len(set(ids)) == len(ids), "an episode is told once"
