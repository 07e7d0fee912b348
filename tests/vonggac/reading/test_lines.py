"""Lines with their offsets, from a stream that may cut its reads anywhere."""

import io
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.reading.lines import CHUNK, KEPT, LINE_LIMIT, TooLong, first_line, lines, skip


class Drops(io.RawIOBase):
    """A stream that gives its bytes in the pieces that a test asks for, and cannot seek."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = [piece for piece in pieces if piece]

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if 0 <= size < len(piece):
            self._pieces.insert(0, piece[size:])
            piece = piece[:size]
        return piece


def read(data: bytes, start: int = 0, limit: int = LINE_LIMIT) -> list[tuple[int, bytes | TooLong]]:
    return list(lines(io.BytesIO(data), start, limit))


def test_lines_and_where_they_begin() -> None:
    assert read(b"one\ntwo\r\n\n\r\nfive") == [(0, b"one"), (4, b"two"), (12, b"five")]


def test_reading_goes_on_from_a_line() -> None:
    assert read(b"one\ntwo\nthree\n", start=4) == [(4, b"two"), (8, b"three")]


def test_nothing_holds_no_line() -> None:
    assert read(b"") == read(b"\n\r\n") == []


def test_a_carriage_return_inside_a_line_stays() -> None:
    assert read(b"a\rb\r\r\n") == [(0, b"a\rb\r")]


def test_a_line_above_the_limit_is_measured_and_the_rest_goes_on() -> None:
    size = LINE_LIMIT + 12345
    data = b"before\n" + b"x" * size + b"\nafter\nlast\n"
    assert read(data) == [(0, b"before"), (7, TooLong(size, b"x" * KEPT)), (size + 8, b"after"), (size + 14, b"last")]
    assert str(TooLong(size, b"")) == "line of 8,400,953 bytes is above the limit of 8,388,608"


def test_a_line_above_the_limit_may_be_the_last() -> None:
    assert read(b"a\n" + b"x" * (LINE_LIMIT + 1)) == [(0, b"a"), (2, TooLong(LINE_LIMIT + 1, b"x" * KEPT))]


def test_the_limit_does_not_hang_on_where_a_read_ends() -> None:
    assert read(b"1234\n12345\n", limit=4) == [(0, b"1234"), (5, TooLong(5, b"1234"))]


@given(st.lists(st.binary(max_size=12)), st.integers(1, 20))
def test_any_cutting_of_the_stream_gives_the_same(pieces: list[bytes], limit: int) -> None:
    whole = b"".join(pieces)
    assert list(lines(Drops(pieces), limit=limit)) == read(whole, limit=limit)  # type: ignore[arg-type]


@given(st.lists(st.text("ab\r\x00", max_size=9).map(str.encode), max_size=20), st.booleans())
def test_lines_are_what_stands_between_newlines(words: list[bytes], ended: bool) -> None:
    data = b"\n".join(words) + (b"\n" if ended else b"")
    found = read(data)
    assert [line for _, line in found] == [one for word in words if (one := word.removesuffix(b"\r"))]
    for offset, line in found:
        assert isinstance(line, bytes)
        assert data.startswith(line, offset)
        assert read(data, offset)[0] == (offset, line)


def test_the_first_line() -> None:
    assert first_line(io.BytesIO(b"\n\none\ntwo")) == b"one"
    assert first_line(io.BytesIO(b"")) == b""
    assert first_line(io.BytesIO(b"abcdef\n"), limit=3) == b"abc"


@pytest.mark.parametrize("stream", [io.BytesIO(b"0123456789"), Drops([b"012", b"3456", b"789"])])
def test_skipping(stream: io.BytesIO) -> None:
    skip(stream, 0)
    skip(stream, 5)
    assert stream.read(2)[:1] == b"5"


def test_skipping_beyond_the_end_gives_nothing() -> None:
    assert read(b"one\n", start=CHUNK) == []
    assert list(lines(Drops([b"one\n"]), CHUNK)) == []  # type: ignore[arg-type]
