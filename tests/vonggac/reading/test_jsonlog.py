"""The one loop of JSON logs: shapes, places, marks, what is odd."""

import orjson
import pytest

from vonggac.event import Bad, Event
from vonggac.reading.jsonlog import Found, read_json, sample_objects, start_of
from vonggac.testing import source_of


def parse(found: Found) -> Event:
    if "n" not in found.value:
        msg = "no n"
        raise ValueError(msg)
    return Event(found.file_id(), {"json": found.value, "at": found.offset}, ("json",), found.raw)


def read(data: bytes) -> list[Event | Bad]:
    return [one for records, _ in read_json(source_of(data), None, parse) for one in records]


def values(data: bytes) -> list[object]:
    return [one.doc["json"]["n"] if isinstance(one, Event) else one.reason for one in read(data)]


@pytest.mark.parametrize(
    "data",
    [
        b'{"n":1}\n{"n":2}\n',
        b'{"n":1}\r\n{"n":2}',
        b'{"n":1}{"n":2}',
        b'[{"n":1},\n {"n":2}]',
        b'{\n "n": 1\n}\n{\n "n": 2\n}\n',
        b'\xef\xbb\xbf{"n":1}\n{"n":2}\n',
        b' {"n":1}\n {"n":2}\n',
        b'\x1e{"n":1}\n\x1e{"n":2}\n',
    ],
    ids=["lines", "CRLF", "concatenated", "array", "pretty", "byte order mark", "indented", "RFC 7464"],
)
def test_every_shape_gives_the_same(data: bytes) -> None:
    assert values(data) == [1, 2]


def test_an_object_over_several_lines_is_one_line_as_an_event() -> None:
    (event,) = read(b'{\n "n": 1\n}')
    assert isinstance(event, Event)
    assert event.raw is None
    assert event.to_json().count(b"\n") == 0


def test_what_is_no_event_is_named_and_the_rest_goes_on() -> None:
    found = values(b'{"n":1}\n{"n":\n[1]\n{"m":1}\n{"n":2}\n')
    assert found[0] == 1
    assert str(found[1]).startswith("not JSON: ")
    assert found[2:] == ["no JSON object", "no n", 2]


def test_a_doubled_key_is_named_and_the_event_kept() -> None:
    event, bad = read(b'{"n":1,"n":2}')
    assert isinstance(event, Event)
    assert isinstance(bad, Bad)
    assert bad.kept


def test_a_mark_goes_on_where_it_was() -> None:
    data = b"".join(orjson.dumps({"n": number}) + b"\n" for number in range(250))
    batches = list(read_json(source_of(data), None, parse))
    assert [len(records) for records, _ in batches] == [100, 100, 50]
    (rest,) = read_json(source_of(data), batches[1][1], parse)
    assert rest == batches[2]


def test_samples() -> None:
    assert sample_objects(b'{"a":1}\n{"b":\n{"c":3}\n') == [{"a": 1}, {"c": 3}]
    assert sample_objects(b"text") == []
    assert sample_objects(b'{"a":"\0"}') == []
    assert start_of(b"\xef\xbb\xbf{}") == b"{}"
