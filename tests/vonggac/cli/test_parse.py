"""`vonggac parse`: the events that a scan would judge, one ECS object a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]


def test_events_are_nested_ecs_and_keep_the_original(vonggac: Command, tmp_path: Path) -> None:
    line = "Mar  1 01:02:03 gw sshd[412]: Accepted password for minh from 203.0.113.9 port 40113 ssh2"
    (tmp_path / "auth.log").write_text(line + "\n")
    ran = vonggac("parse", tmp_path / "auth.log", "--summary", tmp_path / "s.json")
    [event] = ran.rows
    assert event["event"]["original"] == line
    assert event["host"]["name"] == "gw"
    assert event["vonggac"]["collector"] == "syslog"
    counts = orjson.loads((tmp_path / "s.json").read_bytes())
    assert (counts["events"], counts["alerts"], counts["by_collector"]) == (1, 0, {"syslog": 1})


def test_a_log_source_can_be_given(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"Image": "a.exe"}\n')
    [event] = vonggac("parse", tmp_path / "x.json", "--logsource", "product=windows,category=process_creation").rows
    assert event["vonggac"]["logsource"] == {"product": "windows", "category": "process_creation"}
    assert event["json"] == {"Image": "a.exe"}


def test_a_reader_that_leaves_is_no_error(vonggac: Command, tmp_path: Path) -> None:
    ran = vonggac("parse")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("vonggac: nothing to read")


def test_a_file_that_no_collector_knows_is_a_file_event(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(bytes(range(256)))
    [event] = vonggac("parse", tmp_path / "x.bin").rows
    assert event["file"]["size"] == 256
    assert len(event["file"]["hash"]["sha256"]) == 64
