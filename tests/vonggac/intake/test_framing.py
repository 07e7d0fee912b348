"""Messages out of a TCP stream, however the stream is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.intake.framing import Cut, Framer, Message

LIMIT = 50


def framed(*pieces: bytes) -> list[Message]:
    framer = Framer(LIMIT)
    return [message for piece in pieces for message in framer.feed(piece)] + framer.end()


@pytest.mark.parametrize(
    ("stream", "messages"),
    [
        (b"<13>a\n<13>b\n", [b"<13>a", b"<13>b"]),
        (b"<13>a\r\n\r\n\n<13>b\r\n", [b"<13>a", b"<13>b"]),
        (b"<13>a\0<13>b\0", [b"<13>a", b"<13>b"]),
        (b"5 <13>a6 <13>bb", [b"<13>a", b"<13>bb"]),
        (b"7 <13>a\nb5 <13>c", [b"<13>a\nb", b"<13>c"]),
        (b"6 <13>a\n5 <13>b", [b"<13>a", b"<13>b"]),
        (b"5 <13>a\n<13>b\n5 <13>c\n<13>d\0", [b"<13>a", b"<13>b", b"<13>c", b"<13>d"]),
        (b'8 {"a": 1}\n', [b'{"a": 1}']),
        (b"2026-03-01T01:02:03Z h a: x\n14 days\n99999999 <13>a\n", None),
        (b"<13>no trailer at the end", None),
        (b"", []),
        (b"\n\0\r\n", []),
    ],
)
def test_each_message_says_how_it_ends(stream: bytes, messages: list[Message] | None) -> None:
    """None = a message a line, whatever digits it begins with."""
    assert framed(stream) == (stream.splitlines() if messages is None else messages)


def test_a_message_above_the_limit_is_cut_once_and_the_next_one_is_whole() -> None:
    reason = "message is above the limit of 50 bytes: the rest of it is left out"
    long = b"<13>" + b"x" * 99
    assert framed(long + b"\n<13>b\n") == [Cut(long[:50], reason), b"<13>b"]
    assert framed(b"103 " + long + b"<13>b\n") == [Cut(long[:50], reason), b"<13>b"]
    assert framed(long) == [Cut(long[:50], reason)]


def test_a_closed_connection_leaves_no_message_in_silence() -> None:
    assert framed(b"<13>a\n<13>whole enough") == [b"<13>a", b"<13>whole enough"]
    assert framed(b"20 <13>a") == [Cut(b"<13>a", "connection ended after 5 of 20 bytes")]
    assert framed(b"20 ") == [Cut(b"", "connection ended after '20 ', the count of a message")]


def test_hundred_megabytes_without_an_end_fill_no_memory() -> None:
    framer = Framer()
    piece = b"x" * (1 << 20)
    out = []
    for _ in range(100):
        out += framer.feed(piece)
        assert framer.held <= 256 << 10
    assert [type(message) for message in out] == [Cut]
    assert framer.feed(b"\n<13>b\n") == [b"<13>b"]


_MESSAGES = st.binary(max_size=70).map(lambda body: b"<13>" + body)
_STREAMS = st.lists(
    st.one_of(
        _MESSAGES.map(lambda one: b"%d %s" % (len(one), one)),
        st.tuples(_MESSAGES, st.sampled_from([b"\n", b"\0", b"\r\n"])).map(b"".join),
        st.binary(max_size=12),
        st.sampled_from([b"1", b"12 ", b"7 <", b"\n", b"999999 <"]),
    ),
    max_size=8,
).map(b"".join)


@given(_STREAMS, st.lists(st.integers(0, 400), max_size=6))
def test_any_cut_of_the_stream_gives_the_same_messages(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:stop] for start, stop in pairwise(places)]
    whole = framed(stream)
    assert framed(*pieces) == whole
    assert framed(*(stream[at : at + 1] for at in range(len(stream)))) == whole


@given(st.lists(_MESSAGES.filter(lambda one: len(one) <= LIMIT), max_size=8))
def test_what_was_counted_comes_out_as_it_went_in(messages: list[bytes]) -> None:
    stream = b"".join(b"%d %s" % (len(one), one) for one in messages)
    assert framed(stream) == [one.strip(b"\n\r\0") for one in messages]
