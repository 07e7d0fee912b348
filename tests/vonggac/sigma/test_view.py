"""The view of an event: texts in their forms, and the full message."""

from __future__ import annotations

from typing import Any

import pytest

from vonggac.event import Event
from vonggac.sigma.view import View, text_of, texts_of
from vonggac.testing import make_event


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (None, None),
        (True, "true"),
        (1, "1"),
        (1.5, "1.5"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ({"a": 1 << 70}, '{"a":1180591620717411303424}'),
    ],
)
def test_texts(value: Any, text: str | None) -> None:
    assert text_of(value) == text


def test_a_number_that_python_would_not_write_out_has_a_text() -> None:
    assert text_of(10**5000) == hex(10**5000)


def test_nulls_have_no_text() -> None:
    assert texts_of(("a", None, 1)) == ["a", "1"]


def test_an_object_nested_too_deep_still_has_a_text() -> None:
    value: Any = "x"
    for _ in range(300):
        value = {"a": value}
    assert text_of(value) is not None
    for _ in range(100_000):
        value = {"a": value}
    assert text_of(value) == "{}"


def test_forms() -> None:
    view = View(make_event({"json": {"F": "Đ /X–y"}}))
    assert view.texts("F", "fold") == ("đ /x–y",)
    assert view.texts("F", "exact") == ("Đ /X–y",)
    assert view.texts("F", "fold-dash") == ("đ -x-y",)
    assert view.texts("F", "exact-dash") == ("Đ -X-y",)
    assert view.texts("nothing", "fold") == ()
    assert view.values("F") is view.values("F"), "asked once"


def test_the_full_message_is_the_line() -> None:
    event = make_event(event__original="Mar 1 pc sshd: x", message="x", event__module="linux", syslog__tag="t")
    assert View(event).strings() == ("Mar 1 pc sshd: x",)


def test_of_a_record_it_is_the_message_and_every_text_and_number() -> None:
    event = make_event({"message": "m", "winlog": {"a": ["b", {"c": 5}], "d": None, "e": True}, "host": {"name": "pc"}})
    assert View(event).strings() == ("m", "b", "5", "true")


def test_the_audit_log_adds_what_it_writes_in_hex() -> None:
    event = make_event({"event": {"original": "a1=6576696C"}, "auditd": {"records": [{"a1": "evil"}]}})
    assert View(event).strings() == ("a1=6576696C", "evil")


def test_a_deep_record_does_not_overflow() -> None:
    value: Any = "deep"
    for _ in range(10_000):
        value = [value]
    assert View(Event("x", {"json": {"a": value}})).strings() == ("deep",)


def test_only_one_text() -> None:
    view = View(make_event(event__original="a"))
    assert view.only("b").strings() == ("b",)
    assert view.only("b").event is view.event
