"""The queue between those who read and the one who commits."""

import threading
from datetime import UTC, datetime

import orjson
import pytest

from vonggac.event import Bad
from vonggac.intake.inlet import Closed, Delivery, Inlet
from vonggac.intake.tally import Tally
from vonggac.people.units import Unit, Units
from vonggac.testing import make_event

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def inlet(room: int = 1 << 20, drill: str = "") -> Inlet:
    units = Units([Unit("so-yte", "Sở Y tế", None, ("pc1",), ())])
    return Inlet(units, Tally(), lambda: AT, drill=drill, room=room)


def delivery(*records: object, **more: object) -> Delivery:
    return Delivery("json", records, "test", **more)  # type: ignore[arg-type]


def test_events_are_stamped_with_collector_unit_and_drill() -> None:
    queue = inlet(drill="dt-2026")
    queue.put(delivery(make_event(host__name="pc1")))
    queue.put(delivery(make_event(host__name="pc1"), unit="so-tc"))
    docs = [orjson.loads(one.outs[0].record) for one in queue.take(0, 1 << 20)]
    assert [doc["vonggac"] for doc in docs] == [
        {"collector": "json", "unit": "so-yte"},
        {"collector": "json", "unit": "so-tc"},
    ]
    assert [doc["labels"] for doc in docs] == [{"drill": "dt-2026"}] * 2


def test_what_could_not_be_read_goes_to_the_dead() -> None:
    queue = inlet()
    queue.put(delivery(Bad("test", "line 1", "no JSON", b"{"), make_event()))
    (sealed,) = queue.take(0, 1 << 20)
    assert [out.topic for out in sealed.outs] == ["dead", "events"]


def test_a_full_queue_makes_readers_wait_until_the_commit() -> None:
    queue = inlet(room=1_000)
    assert queue.put(delivery(ready=[b"x" * 700]))
    assert not queue.put(delivery(ready=[b"x" * 700]), wait_s=0)
    taken = queue.take(0, 1 << 20)
    assert not queue.put(delivery(ready=[b"x" * 700]), wait_s=0), "taken is not yet durable"
    queue.committed(taken)
    assert queue.put(delivery(ready=[b"x" * 700]), wait_s=0)


def test_what_is_larger_than_the_room_passes_alone() -> None:
    queue = inlet(room=1_000)
    assert queue.put(delivery(ready=[b"x" * 5_000]), wait_s=0)


def test_done_is_told_after_the_commit_and_not_before() -> None:
    told = threading.Event()
    queue = inlet()
    queue.put(delivery(make_event(), done=told.set))
    taken = queue.take(0, 1 << 20)
    assert not told.is_set()
    queue.committed(taken)
    assert told.is_set()


def test_a_closed_inlet_takes_nothing_more_but_gives_what_waits() -> None:
    queue = inlet()
    queue.put(delivery(make_event()))
    queue.close()
    with pytest.raises(Closed):
        queue.put(delivery(make_event()))
    assert len(queue.take(0, 1 << 20)) == 1


def test_what_is_live_does_not_wait_behind_a_large_file() -> None:
    queue = inlet(room=8_000)
    assert queue.put(delivery(ready=[b"x" * 700], bounded=True), wait_s=0)
    assert not queue.put(delivery(ready=[b"x" * 700], bounded=True), wait_s=0), "a file fills an eighth at most"
    assert queue.put(delivery(ready=[b"x" * 700]), wait_s=0)
