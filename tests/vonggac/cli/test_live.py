"""A live alert is one line that a tired analyst reads at once, and that no attacker's text can break."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from vonggac.cli.live import line, shower
from vonggac.event import Alert, RuleRef
from vonggac.testing import make_event

RULE = RuleRef("r1", "Root logged in", "high", "vonggac", "1")


def alert(matched: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    event = make_event({"vonggac": {"unit": "so-yte"}}, **fields)
    found: dict[str, Any] = orjson.loads(Alert(RULE, event, matched or {}).to_json())
    return found


def test_when_how_grave_what_where_who_and_why() -> None:
    said = line(alert({"CommandLine": "whoami"}, host__name="pc1", user__name="an"), {})
    assert said == "2026-03-01 08:02:03  high           Root logged in  pc1 an  so-yte  CommandLine=whoami"


def test_the_title_in_the_readers_language() -> None:
    assert "Root đăng nhập" in line(alert(), {"r1": "Root đăng nhập"})


def test_an_exercise_is_marked() -> None:
    assert "[exercise: dt-2026]" in line(alert(labels__drill="dt-2026"), {})


def test_an_address_stands_for_a_host_without_a_name() -> None:
    assert " 192.0.2.7 " in line(alert(host__ip=["192.0.2.7"]), {})
    assert " 192.0.2.9 " in line(alert(source__ip="192.0.2.9"), {})


def test_without_a_time_the_columns_stay() -> None:
    found = alert()
    found["@timestamp"] = None
    assert line(found, {}).startswith(" " * 19 + "  high")


def test_a_time_that_no_zone_can_show_ends_nothing() -> None:
    found = alert()
    found["@timestamp"] = "9999-12-31T23:59:59.000000Z"
    assert line(found, {}).startswith("9999-12-31T23:59:59.000000Z  high")


def test_hostile_text_stays_one_line_and_plain() -> None:
    said = line(alert({"x": "a\nb\x1b[2J\u202e" + "A" * 5_000}, host__name="evil\r\nhost"), {})
    assert said.isprintable()
    assert len(said) <= 320


def test_forms(capfd: pytest.CaptureFixture[str]) -> None:
    assert shower("none") is None
    record = orjson.dumps(alert())
    shower("jsonl")(record)
    shower("table")(record)
    lines = capfd.readouterr().err.splitlines()
    assert orjson.loads(lines[0]) == orjson.loads(record)
    assert "Root logged in" in lines[1]
