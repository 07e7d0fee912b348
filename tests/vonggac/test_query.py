"""The query model: what a condition means, and what is no query at all."""

from datetime import UTC, datetime, timedelta

import pytest

from vonggac.query import (
    And,
    Condition,
    Histogram,
    Not,
    Op,
    Or,
    Query,
    Terms,
    Test,
    Text,
    address_key,
    holds,
    time_of,
    values,
)

DOC = {
    "host": {"name": "WS-Đà Nẵng", "ip": ["192.0.2.7", None]},
    "zeek": {"id.orig_h": "192.0.2.9"},
    "threat": {"technique": [{"id": "T1003"}, {"id": ["T1059", {"no": 1}]}]},
    "n": 7,
    "yes": True,
}


def test_a_field_is_met_nested_with_dots_and_in_lists_of_objects() -> None:
    assert list(values(DOC, "host.ip")) == ["192.0.2.7"]
    assert list(values(DOC, "zeek.id.orig_h")) == ["192.0.2.9"]
    assert list(values(DOC, "threat.technique.id")) == ["T1003", "T1059"]
    assert list(values(DOC, "yes")) == ["true"]
    assert list(values(DOC, "host")) == []


@pytest.mark.parametrize(
    "where",
    [
        Test("host.name", Op.EQ, "ws-đà nẵng"),
        Test("host.name", Op.CONTAINS, "NẴ"),
        Test("n", Op.EQ, "7"),
        Test("n", Op.LT, 7.5),
        Test("n", Op.IN, (1, 7)),
        Test("yes", Op.EQ, True),
        Test("host.ip", Op.CIDR, "192.0.2.0/28"),
        Not(Test("n", Op.EQ, 70)),
        Not(Test("none", Op.EQ, 1)),
        Text("đà nẵng"),
        Text("t1059"),
        Text("7"),
        Not(Text("technique")),
        Not(Text("true")),
        And(()),
        Or((Test("none", Op.EXISTS), Test("n", Op.EXISTS))),
    ],
    ids=str,
)
def test_it_holds(where: Condition) -> None:
    assert holds(where, DOC)
    assert not holds(Not(where), DOC)


def test_addresses_sort_as_they_do() -> None:
    first, last = address_key("192.0.2.9"), address_key("192.0.2.10")
    assert first is not None
    assert last is not None
    assert first < last
    assert address_key("192.0.2.9") == address_key("::ffff:192.0.2.9")
    assert address_key("192.0.2") is None


def test_the_time_of_an_event() -> None:
    now = datetime(2026, 3, 1, 8, tzinfo=UTC)
    assert time_of({"@timestamp": "2026-03-01T07:00:00+07:00"}, now) == datetime(2026, 3, 1, tzinfo=UTC)
    assert time_of({"@timestamp": "2026-03-01T07:00:00"}, now) == datetime(2026, 3, 1, 7, tzinfo=UTC)
    for none in (None, 5, "", "soon", "0001-01-01T00:00:00+07:00"):
        assert time_of({"@timestamp": none}, now) == now


@pytest.mark.parametrize("field", ["", "a..b", 'a"b', "a[0]", "$.a", "a*", "x" * 201, "1.2.3.4.5.6.7.8.9", "a\nb"])
def test_no_name_of_a_field(field: str) -> None:
    with pytest.raises(ValueError, match="no name of a field"):
        Test(field, Op.EXISTS)


@pytest.mark.parametrize(
    ("op", "value"),
    [(Op.EQ, None), (Op.EQ, 1e15), (Op.IN, "a"), (Op.EXISTS, "a"), (Op.PREFIX, 1), (Op.CIDR, "192.0.2.0/99")],
)
def test_no_such_value(op: Op, value: str | int | None) -> None:
    with pytest.raises(ValueError):
        Test("a", op, value)


def test_no_such_query() -> None:
    deep: Condition = And(())
    for _ in range(40):
        deep = Not(deep)
    with pytest.raises(ValueError, match="nested deeper"):
        Query(deep)
    with pytest.raises(ValueError, match="without a zone"):
        Query(since=datetime(2026, 3, 1))  # noqa: DTZ001 (the mistake)
    with pytest.raises(ValueError, match="a size of"):
        Query(size=10_001)
    with pytest.raises(ValueError, match="a size of 0"):
        Terms("a", 0)
    with pytest.raises(ValueError, match="a step of"):
        Histogram(timedelta(0))
