"""What every source sent is counted where it comes in."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.event import Bad, Event
from vonggac.health.measure import Measure, Own, read
from vonggac.intake.inlet import Delivery, Inlet
from vonggac.intake.tally import Tally
from vonggac.people.units import Unit, Units
from vonggac.testing import make_event

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def event(host: str = "pc1", dataset: str = "syslog.auth", time: str = "2026-03-01T07:59:58Z", **more: Any) -> Event:
    return make_event({"@timestamp": time}, host__name=host, event__dataset=dataset, vonggac__unit="so-yte", **more)


def seen(tally: Tally, *events: Event, failed: int = 0, source: str = "udp 127.0.0.1:5514", **more: Any) -> None:
    tally.seen("syslog", source, events, failed, more.pop("received", AT), bounded=more.pop("bounded", False))


def told(tally: Tally, now: datetime) -> list[dict[str, Any]]:
    """Give the measurements that are due, without the beat."""
    return [orjson.loads(one) for one in list(tally.take(now))[:-1]]


@pytest.fixture
def tally() -> Tally:
    made = Tally()
    made.take(AT)
    return made


def test_the_slot_that_runs_is_not_told() -> None:
    tally = Tally()
    assert list(tally.take(AT)) == [b'{"beat":"2026-03-01T07:59:50Z"}']
    assert list(tally.take(later(9.9))) == []


def test_a_beat_comes_though_everything_is_silent(tally: Tally) -> None:
    assert list(tally.take(later(10))) == [b'{"beat":"2026-03-01T08:00:00Z"}']
    assert list(tally.take(later(20))) == [b'{"beat":"2026-03-01T08:00:10Z"}']


def test_events_are_counted_by_host_and_dataset(tally: Tally) -> None:
    seen(tally, event(), event("pc2"), event())
    seen(tally, event(), event(dataset="syslog.kern"))
    found = told(tally, later(10))
    assert [(one["source"]["host"], one["source"]["dataset"], one["events"]) for one in found] == [
        ("pc1", "syslog.auth", 3),
        ("pc2", "syslog.auth", 1),
        ("pc1", "syslog.kern", 1),
    ]
    assert found[0] == {
        "source": {"collector": "syslog", "host": "pc1", "dataset": "syslog.auth", "unit": "so-yte"},
        "slot": "2026-03-01T08:00:00Z",
        "seconds": 10,
        "events": 3,
        "newest": "2026-03-01T07:59:58Z",
        "offset_s": 2.0,
    }
    assert told(tally, later(20)) == [], "a new slot begins with nothing"


def test_flows_that_are_told_at_their_end_say_nothing_of_a_clock(tally: Tally) -> None:
    tally.seen("pcap", "eth0", [event(time="2026-03-01T07:30:00Z")], 0, AT, bounded=False)
    assert told(tally, later(10))[0].get("offset_s") is None


@pytest.mark.parametrize(
    ("doc", "host"),
    [
        ({"host": {"ip": ["192.0.2.5", "192.0.2.6"]}}, "192.0.2.5"),
        ({"host": {"ip": "192.0.2.5"}}, "192.0.2.5"),
        ({"log": {"source": {"address": "192.0.2.7"}}}, "192.0.2.7"),
        ({"log": {"source": {"address": "192.0.2.7:40112"}}}, "192.0.2.7"),
        ({"log": {"source": {"address": "[2001:db8::7]:40112"}}}, "2001:db8::7"),
        ({"log": {"source": {"address": "2001:db8::7"}}}, "2001:db8::7"),
        ({"log": {"file": {"path": "/x"}}}, "udp 127.0.0.1:5514"),
        ({}, "udp 127.0.0.1:5514"),
        ({"host": "text", "event": ["x"], "log": 7, "labels": "x"}, "udp 127.0.0.1:5514"),
        ({"host": {"name": ["a", "b"]}, "event": {"dataset": {}}}, "udp 127.0.0.1:5514"),
        ({"host": {"name": "n" * 10_000}, "event": {"dataset": "d"}}, "n" * 200),
        ({"host": {"name": "pc\udc80"}}, "pc?"),
    ],
)
def test_who_sends_is_found_in_whatever_came(tally: Tally, doc: dict[str, Any], host: str) -> None:
    for _ in range(3):
        seen(tally, Event("x", dict(doc)))
    (one,) = told(tally, later(10))
    assert (one["source"]["host"], one["events"]) == (host, 3)


def test_an_exercise_is_a_source_of_its_own(tally: Tally) -> None:
    seen(tally, event(), event(labels__drill="dt-2026"), event(labels__other="x"))
    assert [(one["source"].get("drill"), one["events"]) for one in told(tally, later(10))] == [
        (None, 2),
        ("dt-2026", 1),
    ]


def test_failures_go_to_the_host_of_the_delivery(tally: Tally) -> None:
    seen(tally, event(), event(), failed=3)
    assert [(one["source"]["host"], one["failed"]) for one in told(tally, later(10))] == [("pc1", 3)]


def test_failures_among_several_hosts_go_to_the_listener(tally: Tally) -> None:
    seen(tally, event("pc1"), event("pc2"), failed=3)
    seen(tally, event("pc1"))
    found = told(tally, later(10))[-1]
    assert found["source"] == {"collector": "syslog", "host": "udp 127.0.0.1:5514"}
    assert (found["failed"], found["beside"]) == (3, 3)
    assert "events" not in found


def test_old_events_of_a_file_say_nothing_of_a_clock(tally: Tally) -> None:
    seen(tally, event(time="2024-01-01T00:00:00Z"), bounded=True)
    (one,) = told(tally, later(10))
    assert one["source"]["bounded"]
    assert "offset_s" not in one


@pytest.mark.parametrize(
    "time", ["", "yesterday", "2026-03-01T07:59:58", "9999-12-31T23:59:59-12:00", "1" * 999, None, 7]
)
def test_a_time_that_is_none_is_left_out(tally: Tally, time: Any) -> None:
    seen(tally, Event("x", {"@timestamp": time, "host": {"name": "pc1"}}))
    assert "newest" not in told(tally, later(10))[0]


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-01T07:59:58.999999Z",
        "2026-03-01T14:59:58.999999+07:00",
        "2026-W09-7T07:59:58.123456Z",
        "20260301T075958Z",
    ],
)
def test_the_newest_time_is_told_in_one_form(tally: Tally, time: str) -> None:
    seen(tally, event(time=time))
    assert told(tally, later(10))[0]["newest"] == "2026-03-01T07:59:58Z"


def test_which_fields_came_is_told_every_ten_minutes(tally: Tally) -> None:
    for slot in range(60):
        seen(tally, *(event(event__code="4624", winlog={"event_data": {"A": {"deep": 1}}}) for _ in range(9)))
        found = told(tally, later(10 * slot + 10))
    shape = found[0]["shape"]
    assert shape["looked"] == 60, "one of each delivery, two in a slot at most"
    assert shape["names"]["code:4624"] == shape["names"]["winlog.event_data.A"] == 60
    assert not any(name.startswith(("vonggac", "labels")) for name in shape["names"])


def test_a_document_full_of_names_is_bounded(tally: Tally) -> None:
    wide = {f"k{number}" * 90: {f"m{inner}": {"x": 1} for inner in range(50)} for number in range(50)}
    for slot in range(60):
        seen(tally, Event("x", {f"{slot}": 1, **wide}))
        found = list(tally.take(later(10 * slot + 10)))
    assert len(found[0]) < 10_000


def test_more_sources_than_are_told_apart_are_counted_together() -> None:
    tally = Tally(limit=3)
    tally.take(AT)
    seen(tally, *(event(f"pc{number}") for number in range(10)))
    found = [(one["source"]["host"], one["events"]) for one in told(tally, later(10))]
    assert found == [("pc0", 1), ("pc1", 1), ("pc2", 1), ("*", 7)]


def test_a_source_not_seen_for_a_day_gives_its_place_away() -> None:
    tally = Tally(limit=1)
    tally.take(AT)
    seen(tally, event("old"))
    told(tally, later(10))
    seen(tally, event("new"))
    assert told(tally, later(20))[0]["source"]["host"] == "*"
    told(tally, later(90_000))
    seen(tally, event("new"))
    assert told(tally, later(90_010))[0]["source"]["host"] == "new"


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_jumps_ends_the_slot(tally: Tally, jump: int) -> None:
    seen(tally, event())
    (one,) = told(tally, later(jump))
    assert (one["events"], one["seconds"]) == (1, 10)
    seen(tally, event())
    assert told(tally, later(jump + 30))[0]["seconds"] == 30


def test_threads_lose_no_count(tally: Tally) -> None:
    def send() -> None:
        for number in range(200):
            seen(tally, event(f"pc{number % 7}"), event("pc1"), failed=0)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(one["events"] for one in told(tally, later(10))) == 1_600


def test_the_inlet_counts_what_it_is_given(tally: Tally) -> None:
    inlet = Inlet(Units([Unit("so-yte", "Sở Y tế", None, ("pc1",), ())]), tally, lambda: AT)
    inlet.put(Delivery("json", [make_event(host__name="pc1"), Bad("x", "line 2", "no JSON")], "test"))
    (one,) = told(tally, later(10))
    assert one["source"] == {"collector": "json", "host": "pc1", "unit": "so-yte"}
    assert (one["events"], one["failed"]) == (1, 1)


json = st.recursive(
    st.none() | st.integers() | st.text(st.characters()),
    lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner),
)


@given(
    st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(("host", "event", "log", "labels", "@timestamp"), json)))
)
def test_whatever_comes_is_counted_and_written(docs: list[dict[str, Any]]) -> None:
    tally = Tally()
    tally.take(AT)
    seen(tally, *(Event("x", doc) for doc in docs), failed=1)
    found = [read(one) for one in tally.take(later(10))]
    assert sum(one.events for one in found if isinstance(one, Measure)) == len(docs)
    assert sum(one.failed for one in found if isinstance(one, Measure)) == 1


def test_the_beat_carries_what_the_service_says_of_itself() -> None:
    tally = Tally()
    asked: list[int] = []

    def own() -> Own:
        asked.append(1)
        return Own(disk=0.5)

    tally.take(AT, own)
    assert tally.take(AT, own) == ()
    (beat,) = tally.take(later(10), own)
    assert read(beat) == Own(disk=0.5)
    assert len(asked) == 2, "only when a beat is due"
