"""Where results go: groups for a table, cells that a spreadsheet does not run, a file whole or not at all."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from vonggac.cli.results import Results, grouped
from vonggac.event import Bad


def alert(rule: str, level: str, host: str, time: str | None, user: str = "") -> dict[str, Any]:
    return {
        "@timestamp": time,
        "event": {"id": f"{rule}{host}{time}"},
        "rule": {"id": rule, "name": rule.upper(), "level": level},
        "host": {"name": host},
        "user": {"name": user},
        "log": {"file": {"path": "/srv/a.zip!b/c.log"}, "offset": 3},
        "vonggac": {"events": ["e"], "matched": {"CommandLine": "=1+1"}, "unit": "u"},
    }


def test_a_table_has_a_row_for_each_rule_and_host_the_gravest_first() -> None:
    rows = grouped(
        iter(
            [
                alert("r1", "low", "a", "2026-03-01T00:00:02.000000Z"),
                alert("r1", "low", "a", "2026-03-01T00:00:01.000000Z", "minh"),
                alert("r1", "low", "b", None),
                alert("r2", "critical", "a", None),
            ]
        )
    )
    assert [(row[1], row[2], row[3], row[5]) for row in rows] == [
        ("critical", "R2", "a", 1),
        ("low", "R1", "a", 2),
        ("low", "R1", "b", 1),
    ]
    assert rows[1][6:8] == ("2026-03-01 07:00:01", "2026-03-01 07:00:02")
    assert rows[1][4] == "minh"
    assert rows[1][9] == "c.log"


def test_a_time_that_no_zone_can_show_stands_as_it_is() -> None:
    one = alert("r1", "low", "a", "minh", "x")
    one["@timestamp"] = "9999-12-31T23:59:59.000000Z"
    ((*_rest, first, last, _matched, _in),) = grouped(iter([one]))
    assert (first, last) == (one["@timestamp"], one["@timestamp"])


def test_a_spreadsheet_does_not_run_what_a_log_says(tmp_path: Path) -> None:
    one = alert("r1", "low", "=HYPERLINK(1)", None, "@SUM")
    with Results("csv", tmp_path / "a.csv") as results:
        results.lines(orjson.dumps(one) + b"\n")
        results.finish()
    head, row = (tmp_path / "a.csv").read_text("utf-8").splitlines()
    assert head.startswith("time,level,rule,title,host")
    assert ",'=HYPERLINK(1),'@SUM,u,CommandLine==1+1," in row


def interrupted(out: Path) -> None:
    with Results("jsonl", out) as results:
        results.lines(b"{}\n")
        raise KeyboardInterrupt


def test_an_interrupted_file_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "a.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_ten_failures_of_an_input_are_shown_and_all_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with Results("jsonl", None) as results:
        for number in range(25):
            results.bad(Bad("a.log", f"offset {number}", "no JSON"))
        results.bad(Bad("b.log", "offset 1", "no JSON"))
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == results.shown_failures == 11
    assert shown[-1] == "b.log: offset 1: no JSON"
