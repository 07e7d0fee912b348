"""The helpers of tests: a contract that a bad collector breaks is a contract."""

from collections.abc import Iterator

import pytest

from vonggac.event import Event
from vonggac.ports import Batch, Collector, Head, ReadOptions, Source
from vonggac.testing import collector_contract, make_event, source_of


class Twice:
    """A collector that gives the same event twice."""

    def claims(self, head: Head) -> int:
        return 50 if head.data else 0

    def open(self, source: Source, options: ReadOptions) -> Collector:
        return self

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        event = Event("e", {"event": {"kind": "event", "module": "x", "dataset": "x.y"}})
        yield [event, event], None


class Foreign(Twice):
    """A collector that fills a field that is neither ECS nor its own."""

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        yield [Event("e", {"event": {"kind": "event", "module": "x", "dataset": "x.y"}, "hosts": {"n": 1}})], None


def test_equal_ids_break_the_contract() -> None:
    with pytest.raises(AssertionError, match="ids are unique"):
        collector_contract(Twice(), source_of(b"x"), namespaces=())


def test_a_foreign_field_breaks_the_contract() -> None:
    with pytest.raises(AssertionError, match=r"hosts\.n"):
        collector_contract(Foreign(), source_of(b"x"), namespaces=("x",))


def test_events_are_made_by_path() -> None:
    assert make_event(host__name="pc1").doc["host"] == {"name": "pc1"}
