"""Fields by a table."""

from typing import Any

import pytest

from vonggac.reading.fill import compiled, fill

FIELDS = compiled((("q", "dns.question.name"), ("t", "dns.question.type"), ("a", "source.ip"), ("b", "source.ip")))


def test_fields_are_nested() -> None:
    doc: dict[str, Any] = {"event": {}}
    fill(doc, {"q": "example.com", "t": "A", "b": "192.0.2.1", "other": 1}, FIELDS)
    assert doc == {
        "event": {},
        "dns": {"question": {"name": "example.com", "type": "A"}},
        "source": {"ip": "192.0.2.1"},
    }


def test_what_is_set_first_stays() -> None:
    doc: dict[str, Any] = {}
    fill(doc, {"a": "192.0.2.1", "b": "192.0.2.2"}, FIELDS)
    assert doc == {"source": {"ip": "192.0.2.1"}}


@pytest.mark.parametrize("value", [None, "", True, 1.5, [], {}])
def test_only_texts_and_whole_numbers_are_copied(value: Any) -> None:
    doc: dict[str, Any] = {}
    fill(doc, {"q": value}, FIELDS)
    assert doc == {}
