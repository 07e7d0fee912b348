import io
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest

from vonggac.event import Bad, Event, head_digest
from vonggac.ports import Head, Source
from vonggac.reading.lines import LINE_LIMIT
from vonggac.reading.textlog import first_digest, read_lines, sample_lines
from vonggac.testing import NOW, source_of


class Words:
    """Gives each line as a message; `#` lines are directives that later lines depend on."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.anchor: int | None = None
        self.directive = ""

    def parse(self, text: str, offset: int) -> dict[str, Any] | None:
        if text.startswith("#"):
            self.anchor, self.directive = offset, text
            return None
        return {"message": self.directive + text}


def records_of(data: bytes) -> list[Event | Bad]:
    return [record for records, _ in read_lines(source_of(data), None, Words()) for record in records]


def test_events_have_place_and_identity() -> None:
    one, two = records_of(b"first\r\n\nsecond")
    assert isinstance(one, Event)
    assert isinstance(two, Event)
    assert one.doc == {"message": "first", "log": {"file": {"path": "sample.log"}, "offset": 0}}
    assert two.doc["log"]["offset"] == 8
    assert one.id != two.id


def test_an_empty_input_is_one_empty_batch() -> None:
    assert list(read_lines(source_of(b""), None, Words())) == [([], None)]


def test_a_resumed_reading_knows_the_directive() -> None:
    source = source_of(b"#a\n" + b"x\n" * 150 + b"#b\n" + b"y\n" * 150)
    batches = list(read_lines(source, None, Words()))
    assert [mark for _, mark in batches] == [b"203 0", b"406 303", None]
    for position, (_, mark) in enumerate(batches[:-1]):
        assert list(read_lines(source, mark, Words())) == batches[position + 1 :]


@pytest.mark.parametrize(
    ("line", "reason", "kept"),
    [
        (b"ab\xffc", "invalid UTF-8 at byte 2 of the line", True),
        (b"ab\0c", "NUL bytes in a text line", True),
        (b"x" * (LINE_LIMIT + (1 << 20)), "line of 9,437,184 bytes is above the limit of 8,388,608", False),
    ],
)
def test_what_is_odd_is_named(line: bytes, reason: str, kept: bool) -> None:
    records = records_of(b"before\n" + line + b"\nbehind\n")
    (bad,) = [record for record in records if isinstance(record, Bad)]
    assert (bad.place, bad.reason, bad.kept) == ("offset 7", reason, kept)
    assert len(records) == (4 if kept else 3)


def test_what_was_read_before_damage_counts() -> None:
    class Damaged(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if data := super().read(size):
                return data
            raise EOFError

    def opened() -> BinaryIO:
        return Damaged(b"one\ntwo\n")

    source = Source("cut.gz", Head("cut", b"one\ntwo\n"), 8, NOW, opened, opened)
    found: Iterator[Any] = read_lines(source, None, Words())
    records, mark = next(found)
    assert len(records) == 2
    assert mark == b"8"
    with pytest.raises(EOFError):
        next(found)


def test_the_first_line_is_digested_whole_even_beyond_the_head() -> None:
    assert first_digest(source_of(b"\n\r\nfirst\r\nx")) == head_digest(b"first")
    long = b"x" * (100 << 10)
    assert first_digest(source_of(long + b"\ny")) == head_digest(long)


def test_samples_leave_out_comments_and_binary_data() -> None:
    assert sample_lines(b"# x\n\na\r\nb") == ["a", "b"]
    assert sample_lines(b"a\0b\0" * 8) == [], "binary, or UTF-16"
    assert sample_lines(b"\0" * 2_000 + b"a\nb") == ["a", "b"], "the hole of a log rotated under its writer"
