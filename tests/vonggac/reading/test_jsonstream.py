"""JSON objects out of a stream: every shape, every bomb, and a stream that may cut its reads anywhere."""

import io
import json
import re
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.reading.jsonstream import decode, is_ndjson, objects
from vonggac.reading.lines import KEPT, LINE_LIMIT, TooLong


class Cut(io.BytesIO):
    """A stream that gives at most so many bytes a read."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._size)


def read(data: bytes, **how: Any) -> list[tuple[int, bytes | TooLong]]:
    return list(objects(io.BytesIO(data), **how))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    # no lone surrogates: those are no JSON here
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('":{}[]\\a', max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text('":{}[]\\\n é', max_size=4), JSON, max_size=4), max_size=6)

# -------------------------------------------------------------- one value


def test_a_value_without_a_fault() -> None:
    assert decode(b'{"a": {"a": [1, 2.5, "x:y", null]}, "b" : "\\":"}') == (
        {"a": {"a": [1, 2.5, "x:y", None]}, "b": '":'},
        None,
    )


@pytest.mark.parametrize(
    "record",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a" :2}',
        b'{"a":1,"\\u0061":2}',
        b'[{"b":0},{"a":1,"a":2}]',
        b'{"a":1,"a":2,"b":"\\u0022:"}',
        b'{"a":1,"a":2,"b":"\\u003a"}',
        b'{"a":1,"a":2,"b":"\\u003A","c":"\\u003c"}',
        b'{"a":"x:y","a":2,"b":"\\u003a\\u003a"}',
        b'{"a":1,"a":2,"n":' + b"1" * 300 + b"}",
        b'{"a":1,"a":2,"n":0.' + b"1" * 5000 + b"}",
        b'{"a":1,"a":2,"d":' + b"[" * 240 + b"]" * 240 + b"}",
    ],
    ids=lambda record: record[:40].decode(),
)
def test_a_key_that_stands_twice_is_named_however_it_is_hidden(record: bytes) -> None:
    value, warning = decode(record)
    assert value is not None
    assert warning == "key 'a' stands twice in one object; its last value counts"


def test_the_last_value_counts() -> None:
    assert decode(b'{"a":1,"a":2}')[0] == {"a": 2}


def test_the_name_of_a_doubled_key_is_cut() -> None:
    name = b'"' + b"k" * 1000 + b'"'
    _, warning = decode(b"{" + name + b":1," + name + b":2}")
    assert warning is not None
    assert len(warning) < 160


@pytest.mark.parametrize(
    ("number", "value"),
    [
        (b"18446744073709551615", 18446744073709551615),
        (b"-9223372036854775808", -9223372036854775808),
        (b"18446744073709551616", 18446744073709551616.0),
        (b"1" + b"0" * 300, 1e300),
        (b"1e-400", 0.0),
        (b"-0", 0),
    ],
)
def test_numbers_are_64_bits_or_doubles(number: bytes, value: float) -> None:
    found, _ = decode(number)
    assert found == value
    assert orjson.loads(orjson.dumps(found)) == found, "it can be written again"


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"{",
        b'{"a":1}{"b":2}',
        b'{"a":1e400}',
        b"9" * 400,
        b"NaN",
        b"-Infinity",
        b"[1,]",
        b"01",
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\x00"}',
        b'\xef\xbb\xbf{"a":1}',
        b"[" * 100_000,
        b"[" * 1025 + b"]" * 1025,
        b"[" * 247 + b"]" * 247,
        b'{"a":' * 300 + b"1" + b"}" * 300,
    ],
    ids=lambda record: record[:20].decode(errors="backslashreplace"),
)
def test_what_is_no_json_is_refused_with_a_reason_of_one_line(record: bytes) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
        decode(record)


@given(JSON)
def test_what_json_writes_is_read_without_a_warning(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, indent=1, ensure_ascii=False)):
        assert decode(text.encode()) == (value, None)


@given(st.binary() | st.text('{}[]":,\\u003a1e.', max_size=40).map(str.encode))
def test_any_bytes_are_a_value_or_refused(record: bytes) -> None:
    with suppress(ValueError):
        decode(record)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "\\u0061", "b\\u003a", "b:"]), JSON), max_size=5))
def test_a_doubled_key_is_always_seen(pairs: list[tuple[str, Any]]) -> None:
    record = "{" + ", ".join(f'"{name}" : {json.dumps(value)}' for name, value in pairs) + "}"
    value, warning = decode(record.encode())
    assert (warning is not None) == (len(value) < len(pairs))


# ------------------------------------------------------------- many objects


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"a":1}{"b":2}', [(0, b'{"a":1}'), (7, b'{"b":2}')]),
        (b'[{"a":1},\n {"b":[{}]}]\n', [(1, b'{"a":1}'), (11, b'{"b":[{}]}')]),
        (b'{\n "a": "}"\n}\n{"b":2}\n', [(0, b'{\n "a": "}"\n}'), (14, b'{"b":2}')]),
        (b'{"a":"\\"}\\\\"}{}', [(0, b'{"a":"\\"}\\\\"}'), (13, b"{}")]),
        (b'\x1e{"a":1}\n\x1e{"b":2}\n', [(1, b'{"a":1}'), (10, b'{"b":2}')]),
        (b'Record 1\n{"a":1}', [(0, b"Record 1\n"), (9, b'{"a":1}')]),
        (b'{"a":1}\n{"cut', [(0, b'{"a":1}'), (8, b'{"cut')]),
        (b" \n\x00\x00[]", []),
        (b"", []),
    ],
    ids=["concatenated", "array", "pretty", "escapes", "RFC 7464", "text between", "cut", "nothing but gaps", "empty"],
)
def test_objects_and_where_they_begin(data: bytes, found: list[tuple[int, bytes]]) -> None:
    assert read(data) == found


def test_reading_goes_on_from_an_object() -> None:
    assert read(b'[{"a":1},{"b":2}]', start=8) == [(9, b'{"b":2}')]


def test_the_callers_gap_is_stepped_over() -> None:
    gap = re.compile(rb"(?:[\s\]},]|\{\"Records\":\[)*")
    assert read(b'{"Records":[{"a":1}]}{"Records":[{"b":2},{"c":3}]}', gap=gap) == [
        (12, b'{"a":1}'),
        (33, b'{"b":2}'),
        (41, b'{"c":3}'),
    ]


def test_an_object_above_the_limit_is_measured_and_the_rest_goes_on() -> None:
    size = LINE_LIMIT + 100
    huge = b'{"a":"' + b"}" * (size - 8) + b'"}'
    assert read(b"[" + huge + b',{"b":2}]') == [(1, TooLong(size, huge[:KEPT])), (size + 2, b'{"b":2}')]


def test_a_tower_of_brackets_is_one_record() -> None:
    tower = b'{"a":' * 100_000
    assert read(tower) == [(0, tower)]


@given(OBJECTS, st.sampled_from([None, 1]), st.sampled_from(["", "\n", ",", "\r\n ", "\x1e"]), st.integers(1, 40))
def test_objects_give_back_what_was_written(found: list[Any], indent: int | None, between: str, size: int) -> None:
    written = [json.dumps(one, indent=indent).encode() for one in found]
    data = between.encode().join(written)
    for framed in (data, b"[" + data + b"]\n"):
        assert [record for _, record in objects(Cut(framed, size))] == written


@given(st.text('{}[]"\\a\n ,', max_size=300).map(str.encode), st.integers(1, 90), st.integers(1, 60))
def test_any_cutting_of_the_stream_gives_the_same(data: bytes, size: int, limit: int) -> None:
    whole = read(data, limit=limit)
    assert list(objects(Cut(data, size), limit=limit)) == whole
    for position, (offset, record) in enumerate(whole):
        assert read(data, start=offset, limit=limit) == whole[position:]
        if isinstance(record, bytes):
            assert data.startswith(record, offset)
        else:
            assert record.length > limit


@given(st.binary(max_size=200))
def test_any_bytes_come_out_once_and_in_order(data: bytes) -> None:
    at = 0
    for offset, record in objects(io.BytesIO(data)):
        assert isinstance(record, bytes)
        assert record
        assert data[at:offset].strip(b" \t\r\n,\x1e\x00[]") == b""
        at = offset + len(record)
    assert data[at:].strip(b" \t\r\n,\x1e\x00[]") == b""


# ------------------------------------------------------------------- shapes


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (b'{"a":1}\n{"b":2}\n', True),
        (b'{"a":1}', True),
        (b'{"a":1}\r\n', True),
        (b'{"a":\xff}\n{"b":2}\n', True),
        (b'{"a":1}{"b":2}\n', False),
        (b'{\n"a":1}\n', False),
        (b'[{"a":1}]', False),
        (b"text", False),
        (b"", False),
        (b' {"a":1}\n {"b":2}\n', True),
        (b'\x1e{"a":1}\n\x1e{"b":2}\n', False),
        (b'{"a":"' + b"x" * KEPT, True),
    ],
    ids=[
        "lines",
        "one",
        "CRLF",
        "a bad line",
        "two on a line",
        "pretty",
        "array",
        "text",
        "empty",
        "indented",
        "RFC 7464",
        "a huge line",
    ],
)
def test_is_it_a_line_an_object(head: bytes, answer: bool) -> None:
    assert is_ndjson(head) is answer


@given(st.binary(max_size=100) | st.text('{}"\n', max_size=30).map(str.encode))
def test_any_head_has_a_shape(head: bytes) -> None:
    assert is_ndjson(head) in (True, False)
