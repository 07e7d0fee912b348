"""What the embedded store answers is what a plain evaluator of the query model answers, over the same events."""

import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors._parquet import row_of
from connectors._querysql import prepare
from connectors.embedded_store import EmbeddedStore
from vonggac.event import fold
from vonggac.query import And, Condition, Histogram, Not, Op, Or, Query, Sort, Terms, Test, Text, holds, time_of, values
from vonggac.storetesting import ask, batch_of, ids, upto
from vonggac.testing import NOW

FIELDS = ("host.name", "process.pid", "event.code", "x.y", "x.y.z", "winlog.event_data.Image", "a")
TEXTS = st.text('aAbBsSkK01 .\\"/đĐéİſςΣKᏍꭹ\u0301\0\n_%$*', max_size=4)
NUMBERS = st.integers(-3, 3) | st.sampled_from([4624, 10**14, 2**63, 0.5, -1.25]) | st.booleans()
ADDRESSES = st.sampled_from(["192.0.2.1", "192.0.2.77", "198.51.100.1", "2001:db8::1", "::ffff:192.0.2.1", "192.0.2"])
LEAVES = TEXTS | NUMBERS | ADDRESSES | st.none() | st.sampled_from(["7", "07", "1e3", "-1", "true"])
VALUES = LEAVES | st.lists(LEAVES, max_size=3) | st.fixed_dictionaries({"z": LEAVES})


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """An event whose fields stand nested, with dots in their keys, or in lists of objects."""
    doc: dict[str, Any] = {}
    for field in draw(st.sets(st.sampled_from(FIELDS), max_size=4)):
        shape, value = draw(st.sampled_from(["nested", "dotted", "list", "half"])), draw(VALUES)
        *path, last = field.split(".")
        if shape == "dotted":
            doc[field] = value
        elif shape == "half" and path:
            doc.setdefault(path[0], {})
            if isinstance(doc[path[0]], dict):
                doc[path[0]][".".join([*path[1:], last])] = value
        else:
            node: Any = doc
            for name in path[:-1]:
                node = node.setdefault(name, {}) if isinstance(node, dict) else {}
            inner = {last: value}
            if isinstance(node, dict) and path:
                node[path[-1]] = [inner, {last: "more"}, 1] if shape == "list" and path[-1] != "event" else inner
    if draw(st.booleans()):
        doc["@timestamp"] = draw(st.sampled_from(["2026-03-01T07:59:59.999999Z", "1601-01-01T00:00:00Z", "soon", ""]))
    return doc


def single() -> st.SearchStrategy[Condition]:
    field = st.sampled_from(FIELDS)
    scalar = TEXTS | NUMBERS.filter(lambda n: n < 1e15)
    return st.one_of(
        st.builds(Test, field, st.sampled_from([Op.EQ, Op.LT, Op.LTE, Op.GT, Op.GTE]), scalar),
        st.builds(Test, field, st.just(Op.IN), st.lists(scalar, max_size=3).map(tuple)),
        st.builds(Test, field, st.sampled_from([Op.PREFIX, Op.CONTAINS]), TEXTS),
        st.builds(Test, field, st.just(Op.EXISTS)),
        st.builds(Text, TEXTS | st.sampled_from(["event", "\u0301", "n\u0301", "46"])),
        st.builds(Test, field, st.just(Op.CIDR), st.sampled_from(["192.0.2.0/24", "2001:db8::/32", "0.0.0.0/0"])),
    )


CONDITIONS = st.recursive(
    single(),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=4,
)


@settings(max_examples=25)
@given(st.lists(documents(), min_size=1, max_size=12), st.lists(CONDITIONS, min_size=1, max_size=6))
def test_the_answers_are_the_evaluators(docs: list[dict[str, Any]], wheres: list[Condition]) -> None:
    half = len(docs) // 2  # two files: one may have stray rows, the other none
    batches = [batch_of(*docs[:half]), batch_of(*docs[half:], first=half)]
    stored = [orjson.loads(record) for batch in batches for record in batch.records]
    step = Histogram(timedelta(seconds=7), timedelta(seconds=3))
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder))
        for batch in batches:
            assert store.save([batch], upto(batch)) == []
        for where, field in zip(wheres, FIELDS, strict=False):
            wanted = sorted(
                (doc for doc in stored if holds(where, doc)), key=lambda doc: (time_of(doc, NOW), stored.index(doc))
            )
            page = ask(store, Query(where, sort=Sort.OLDEST, count=True, terms=Terms(field, 100), histogram=step))
            assert ids(page) == [doc["event"]["id"] for doc in wanted], where
            assert page.count == len(wanted)
            terms = Counter(text for doc in wanted for text in {fold(text) for text in values(doc, field)})
            assert dict(page.terms) == terms, field
            assert sum(number for _, number in page.histogram) == len(wanted)
        store.close()


def test_a_nul_ends_no_text() -> None:
    with duckdb.connect(":memory:") as con:
        prepare(con)
        assert con.execute("SELECT folded($x)", {"x": "a\0ĐÉ\0B"}).fetchall() == [("a\0đé\0b",)]


def test_fold_is_the_same_in_sql_for_every_letter() -> None:
    with duckdb.connect(":memory:") as con:
        prepare(con)
        rows = con.execute(
            "SELECT i, folded(chr(i::INT)) FROM range(1, 1114112) r(i) WHERE i NOT BETWEEN 55296 AND 57343"
        ).fetchall()
    assert [(hex(i), text) for i, text in rows if fold(chr(i)) != text and i not in (0xFDD0, 0xFDD1)] == []


@given(st.binary(max_size=200) | documents().map(orjson.dumps))
def test_any_bytes_are_an_event_or_a_value_error(record: bytes) -> None:
    try:
        row, _ = row_of(record, 0, 0)
    except ValueError:
        return
    assert row["id"]


#: the end of a record {"event": {"id": …}, …, a test of a vendor's field, whether it passes
VENDORS = (
    (rb'"v": {"k": "x NTDLL y"}', Test("v.k", Op.CONTAINS, "ntdll"), True),
    (rb'"v.k" : "x NTDLL y"', Test("v.k", Op.CONTAINS, "ntdll"), True),
    (rb'"v" : [ {"k": ["a", "ntdll"]}, 1 ]', Test("v.k", Op.EQ, "NTDLL"), True),
    (rb'"v": {"k": 1}, "w": {"k": "ntdll"}', Test("v.k", Op.CONTAINS, "ntdll"), False),
    (rb'"v": {"\u006b": "ntdll"}', Test("v.k", Op.EXISTS), True),
    (rb'"v": {"k": "\u006etdll"}', Test("v.k", Op.PREFIX, "nt"), True),
    (rb'"\u0076": [{"k": "ntdll"}]', Test("v.k", Op.CONTAINS, "ntdll"), True),
    (rb'"v": {"k": "C:\\a\/b"}', Test("v.k", Op.EQ, "c:\\A/b"), True),
    (rb'"v": {"k": 1e3}', Test("v.k", Op.EQ, "1000.0"), True),
    (rb'"v": {"k": true}', Test("v.k", Op.IN, ("x", "True")), True),
    (rb'"v": {"k": null}', Test("v.k", Op.EXISTS), False),
    ('"v": {"k": "\u212aey Đồng"}'.encode(), Test("v.k", Op.EQ, "KEY đồng"), True),
    ('"v": {"k": "\u212aey"}'.encode(), Test("v.k", Op.IN, ("key", "other")), True),
    ('"v": {"k": "a\u037e"}'.encode(), Test("v.k", Op.EQ, "a;"), True),
)


@pytest.mark.parametrize(("end", "where", "passes"), VENDORS)
def test_a_vendors_field_is_found_however_it_is_written(end: bytes, where: Test, passes: bool, tmp_path: Path) -> None:
    with closing(EmbeddedStore(tmp_path)) as store:
        batch = batch_of({}, {})
        batch = replace(batch, records=(b'{"event": {"id": "odd"}, ' + end + b"}", b'{"event": {"id": "none"}}'))
        assert store.save([batch], upto(batch)) == []
        assert ids(ask(store, Query(where))) == (["odd"] if passes else [])
        assert ask(store, Query(Not(where), size=0, count=True)).count == 2 - passes
