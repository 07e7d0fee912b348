"""The quick way from a record to its row and the long way give the same row."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors._encode import Maker, Rows, piece_of, write
from connectors._parquet import COLUMNS, MAX_RAW, moment, row_of
from connectors._pieces import limited
from connectors._shape import Shape

APPENDED = 1_772_352_000_000_000  # 2026-03-01T08:00:00Z
NAMES = ("event", "id", "host", "name", "process", "pid", "parent", "x", "@timestamp", "vonggac", "unit", "a.b", "")
TIMES = st.sampled_from(
    [
        "2026-03-01T07:59:59.999999Z",
        "2026-03-01T07:59:59Z",
        "2026-03-01T07:59:59.5Z",
        "1601-01-01T00:00:00.000000Z",
        "2026-03-01T15:00:00+07:00",
        "2026-02-30T00:00:00.000000Z",
        "2026-03-01T24:00:00.000000Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "2026-03-01T07:59:60Z",
        "2026-03-01T07:59:59.123456789Z",
        "2026-03-01",
        "soon",
        "Z",
    ]
)
SCALARS = (
    st.text('aé"\\/\0\n\u2028', max_size=4)
    | st.integers()
    | st.sampled_from([10**15, 10**15 - 1, -(10**15), 2**64, -0.0, 1.0, 4624, "C:\\users", "a\\/b"])
    | st.booleans()
    | st.none()
    | TIMES
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=12,
)


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """One line that may be an event: hardly ever quite in order, and sometimes not even JSON."""
    doc: dict[str, Any] = {}
    for name in draw(st.sets(st.sampled_from(NAMES))):
        doc[name] = draw(TREES)
    if draw(st.booleans()):
        doc["event"] = {"id": draw(st.text(max_size=3)), **draw(st.dictionaries(st.sampled_from(NAMES), SCALARS))}
    if draw(st.booleans()):
        doc["@timestamp"] = draw(TIMES)
    line = json.dumps(doc, ensure_ascii=draw(st.booleans())).encode()
    if draw(st.booleans()):
        line = line.replace(b"/", rb"\/").replace(b"h", rb"\u0068")
    if draw(st.booleans()):
        line = line[:-1] + b',"event":{"id":"again"}}'  # a doubled key: the last one counts
    return draw(
        st.sampled_from([line, line, line, line, b" " + line + b"\r", line + line, line[:-1], b"[]", line + b"\xff"])
    )


def saved(lines: list[bytes], learn: bool = True) -> tuple[list[dict[str, Any]], list[int], Rows]:
    """Give what stands in the file that the store makes, who was bad, and the rows as they were on their way."""
    maker, bads = Maker(lambda record: "sha"), []
    if learn:  # all names are known: the second time most records go the quick way
        maker.add(Rows(), lines, APPENDED, 0, lambda at, reason: None)
        maker._shape.refresh()
    rows = Rows()
    maker.add(rows, lines, APPENDED, 7, lambda at, reason: bads.append(at))
    if not len(rows):
        return [], bads, rows
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(":memory:") as con:
        con.execute("SET TimeZone = 'UTC'")
        path = Path(folder) / "x.parquet"
        assert write(con, rows, Path(folder) / "scratch", path) == len(rows)
        found = con.execute(
            "SELECT * REPLACE (epoch_us(ts) AS ts, epoch_us(ingested) AS ingested) FROM read_parquet($path) ORDER BY n",
            {"path": str(path)},
        )
        names = [one[0] for one in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()], bads, rows


def judged(lines: list[bytes]) -> tuple[list[dict[str, Any]], list[int]]:
    """Give the rows as the rule has them."""
    rows, bads = [], []
    for at, line in enumerate(lines):
        try:
            row, _ = row_of(line, APPENDED, 7 + at)
        except ValueError:
            bads.append(at)
        else:
            rows.append(row)
    return rows, bads


@settings(max_examples=150)
@given(st.lists(records(), min_size=1, max_size=8))
@example([rb'{"event":{"id":"a"},"x":"\ud800"}', b'{"event":{"id":"b"},"x":NaN}', b'{"event":{"id":"c"},"x":[1,]}'])
@example([b'{"event":{"id":"a","id":"b"},"host":{"name":"x"},"host":{"name":"y"}}'])
@example([b'{"event":{"id":"a"},"host":null,"process":{"pid":null}}', b'{"event":{"id":""}}', b'{"event":{"id":7}}'])
@example([b'{"event":{"id":"a"},"x":' + b"[" * 2000 + b"]" * 2000 + b"}"])
def test_both_ways_give_the_same_row(lines: list[bytes]) -> None:
    wanted, bads = judged(lines)
    for learn in (True, False):
        found, refused, _ = saved(lines, learn)
        assert refused == bads
        assert [{name: value for name, value in row.items() if value is not None} for row in found] == [
            {**{name: value for name, value in row.items() if value is not None}, "schema": 1} for row in wanted
        ]


def test_what_is_in_order_goes_the_quick_way() -> None:
    doc = {"@timestamp": "2026-03-01T07:59:59Z", "event": {"id": "a", "category": ["x"]}, "vendor": {"id.orig_h": "y"}}
    found, bads, rows = saved([orjson.dumps(doc)])
    assert (len(rows.raws), len(rows.odd), bads) == (1, 0, [])
    assert (found[0]["id"], found[0]["ts"], found[0]["stray"], found[0]["plain"]) == (
        "a",
        APPENDED - 10**6,
        False,
        True,
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"host.name": "a"},
        {"host": {"name": ["a"]}},
        {"host": "a"},
        {"process": {"pid": "1"}},
        {"http": {"request.x": 1}},
    ],
    ids=str,
)
def test_what_a_column_does_not_hold_goes_the_long_way_and_is_stray(odd: dict[str, Any]) -> None:
    found, _, rows = saved([orjson.dumps({"event": {"id": "a"}, **odd})])
    assert (len(rows.raws), len(rows.odd), found[0]["stray"]) == (0, 1, True)


def test_a_huge_record_goes_the_long_way_and_names_its_blob() -> None:
    line = orjson.dumps({"event": {"id": "a"}, "x": "y" * MAX_RAW})
    _, _, rows = saved([line, orjson.dumps({"event": {"id": "b"}})])
    assert rows.blobs == {7: "sha"}
    first, second = rows.halves()
    assert (len(first), len(second), {**first.blobs, **second.blobs}) == (1, 1, {7: "sha"})
    assert piece_of(rows, "x", 1, "").blobs == ("sha",)


def test_names_that_somebody_makes_up_are_not_remembered_for_ever() -> None:
    shape = Shape()
    for n in range(5_000):
        shape.learn({f"made up {n}": 1, "event": {"id": "a"}})
    shape.refresh()
    with pytest.raises(ValueError, match="unknown field"):
        shape.decode(b'{"made up 1": 1}')
    assert shape.values(shape.decode(b'{"made up 4999": 1, "event": {"id": "a"}}'))[0] == "a"


def test_a_thousand_hosts_are_counted_apart_and_the_rest_together() -> None:
    rows, maker = Rows(), Maker(lambda record: "sha")
    docs = [{"event": {"id": "a", "dataset": "d"}, "host": {"name": f"h{n}"}} for n in range(1_500)]
    docs += [
        {"event": {"id": "a", "dataset": "d"}, "host": {"name": "h1"}},
        {"event": {"id": "a"}, "host": {"name": "x" * 600}},
    ]
    maker.add(rows, [orjson.dumps(doc) for doc in docs], APPENDED, 0, lambda at, reason: None)
    sources = piece_of(rows, "x", 1, "").sources
    assert (len(sources), sum(one.rows for one in sources)) == (1_000, 1_502)
    assert [(one.host, one.rows) for one in (sources[0], sources[-1])] == [("h1", 2), ("*", 502)]
    assert limited(sources) == list(sources)


def test_times_are_those_of_the_query_model() -> None:
    rows, _ = judged([b'{"event":{"id":"a"},"@timestamp":"2026-03-01T15:00:00+07:00"}'])
    assert moment(rows[0]["ts"]).isoformat() == "2026-03-01T08:00:00+00:00"


def test_every_column_is_in_the_file() -> None:
    check: Callable[[str], bool] = saved([b'{"event":{"id":"a"}}'])[0][0].__contains__
    assert all(check("id" if name == "event.id" else name.replace(".", "_")) for name in COLUMNS)
