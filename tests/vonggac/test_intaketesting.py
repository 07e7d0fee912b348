"""The stand-in for the collect task keeps what is committed and nothing else."""

from vonggac.intake.inlet import Delivery
from vonggac.intaketesting import Committed, new_inlet
from vonggac.testing import make_event


def test_only_what_is_committed_is_there() -> None:
    inlet, log = new_inlet(), Committed()
    inlet.put(Delivery("json", [make_event(n=1)], "a", marks={"a": b"1", "b": b"1"}))
    inlet.put(Delivery("json", [make_event(n=2)], "a", marks={"a": b"2", "b": b""}))
    first, second = inlet.take(0, 1 << 20)
    log.commit(inlet, [first])
    assert log.marks == {"a": b"1", "b": b"1"}
    assert len(log.events()) == 1
    log.commit(inlet, [second])
    assert log.marks == {"a": b"2"}
    assert sum(log.ids().values()) == 2
    assert log.dead() == []
