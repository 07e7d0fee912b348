from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.reading.bodies import address, cef, json_tail, key_values, number, port, put


def test_pairs() -> None:
    assert key_values('IN=eth0 OUT= a="two \\"words\\"" b.c=1,d-e=2 =x word') == {
        "IN": "eth0",
        "OUT": "",
        "a": 'two "words"',
        "b.c": "1",
        "d-e": "2",
    }


def test_the_first_of_a_doubled_name_counts() -> None:
    assert key_values("user=an user=root") == {"user": "an"}


PIECES = st.sampled_from(
    ["a", "B1", "_x", "=", " ", "\t", ",", ";", '"', "\\", "]", "é", "1", "x.y", "a-b", "\x1c", "ｘ"]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_pairs_of_a_short_line_are_those_of_a_long_one(text: str) -> None:
    """Short and plain lines are taken apart by quicker ways; a line too long for these begins the same."""
    assert key_values(text) == key_values(f"{text} {'|' * 3_000}")


def test_cef() -> None:
    assert cef(r"<1>CEF:0|V|P \| Q|1|100|Log in|5|src=192.0.2.1 msg=two words \= one cs1Label=x y") == {
        "version": "0",
        "deviceVendor": "V",
        "deviceProduct": "P | Q",
        "deviceVersion": "1",
        "deviceEventClassId": "100",
        "name": "Log in",
        "severity": "5",
        "src": "192.0.2.1",
        "msg": "two words = one",
        "cs1Label": "x y",
    }
    assert cef("CEF: not really") is None
    assert cef("nothing") is None


def test_json_tail() -> None:
    assert json_tail('app.INFO: {"a": 1}') == ({"a": 1}, None)
    assert json_tail('x {"a": 1, "a": 2}') == ({"a": 2}, "key 'a' stands twice in one object; its last value counts")
    assert json_tail("set {1, 2}") == (None, None)


@pytest.mark.parametrize("depth", [250, 252, 254, 300, 2000])
def test_json_too_deep_to_be_written_again_is_left_in_the_message(depth: int) -> None:
    value, _ = json_tail('{"a":' * depth + "1" + "}" * depth)
    assert value is None or orjson.dumps({"syslog": {"json": value}})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("cafe.de", None),
        ("999.1.1.1", None),
        ("192.0.02.1", None),
        ("192.0.2.1\n", None),
        ("192.0.2.٣", None),
        ("x" * 100_000, None),
        ("", None),
    ],
)
def test_addresses(text: str, found: str | None) -> None:
    assert address(text) == found


def test_numbers() -> None:
    assert (port("22"), port("70000"), port("²"), port(None)) == (22, None, None, None)
    assert (number("12"), number("-1"), number("9" * 400)) == (12, None, None)


def test_put_fills_and_never_overwrites() -> None:
    doc: dict[str, Any] = {"user": {"name": "an"}}
    put(doc, "user.name", "root")
    put(doc, "source.ip", "192.0.2.1")
    put(doc, "file.path", "")
    assert doc == {"user": {"name": "an"}, "source": {"ip": "192.0.2.1"}}


@given(st.text(max_size=200))
def test_nothing_raises(text: str) -> None:
    key_values(text)
    cef("CEF:0|a|b|c|d|e|f|" + text)
    json_tail("{" + text + "}")
    address(text)
