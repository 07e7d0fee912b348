import io

from hypothesis import given
from hypothesis import strategies as st

from vonggac.reading.journalexport import entries


def test_text_and_binary_fields() -> None:
    data = b"\nA=1\nB\n\x03\0\0\0\0\0\0\0x\ny\nA=2\n\n\nC=3\n"
    one, two = entries(io.BytesIO(data))
    assert (one.offset, one.fields) == (1, [("A", b"1"), ("B", b"x\ny"), ("A", b"2")])
    assert (two.offset, two.fields) == (data.index(b"C"), [("C", b"3")])


def test_reading_goes_on_from_an_offset() -> None:
    data = b"A=1\n\nB=2\n\n"
    assert [entry.fields for entry in entries(io.BytesIO(data), 5)] == [[("B", b"2")]]


def test_a_field_cut_short_is_named() -> None:
    (entry,) = entries(io.BytesIO(b"A=1\nB\n\x09\0\0\0\0\0\0\0x"))
    assert entry.reason == "field 'B' is cut short"
    assert entry.start == b"A=1"


def test_a_long_line_is_named_and_the_next_entry_read() -> None:
    one, two = entries(io.BytesIO(b"A=" + b"x" * 1_000_000 + b"\nB=2\n\nC=3\n"), limit=1000)
    assert one.reason == "a field above the limit of 1,000 bytes"
    assert two.fields == [("C", b"3")]


def test_an_entry_of_many_fields_is_bounded() -> None:
    one, two = entries(io.BytesIO(b"A=1\n" * 300 + b"\nB=2\n"), limit=500)
    assert one.reason == "entry of more than 500 bytes or 4,096 fields"
    assert two.fields == [("B", b"2")]


@given(st.binary(max_size=300), st.integers(1, 40))
def test_arbitrary_bytes_end(data: bytes, limit: int) -> None:
    assert len(list(entries(io.BytesIO(data), limit=limit))) <= len(data)
