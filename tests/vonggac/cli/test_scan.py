"""`vonggac scan`: real files in, alerts out; the same ids for any number of workers, from any folder."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
import zstandard

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]

RULE = """\
title: Root logs in by password
id: 6f0a1f0e-2a53-4c0e-9d0c-0f5a8e1c7b11
status: test
level: high
logsource:
    product: linux
    service: sshd
detection:
    keywords:
        - 'Accepted password for root'
    condition: keywords
tags:
    - attack.t1078
"""
HIT = "Mar  1 01:02:0{} gw sshd[411]: Accepted password for root from 203.0.113.9 port 40112 ssh2\n"
MISS = "Mar  1 01:02:03 gw sshd[412]: Accepted password for minh from 203.0.113.9 port 40113 ssh2\n"


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "auth.log").write_text(HIT.format(1) + MISS)
    with gzip.open(folder / "auth.log.1.gz", "wt") as packed:
        packed.write(HIT.format(2) + MISS)
    with zipfile.ZipFile(folder / "day.zip", "w") as archive:
        archive.writestr("var/log/auth.log", MISS + HIT.format(3))
    return folder


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "root.yml").write_text(RULE)
    return folder


def test_alert_lines_have_the_promised_shape(vonggac: Command, logs: Path, rule: Path) -> None:
    ran = vonggac("scan", logs / "auth.log", "--rules", rule, "--no-builtin-rules")
    assert ran.status == 0, ran.err
    [alert] = ran.rows
    assert alert["rule"]["id"] == "6f0a1f0e-2a53-4c0e-9d0c-0f5a8e1c7b11"
    assert (alert["rule"]["level"], alert["rule"]["ruleset"]) == ("high", "mine")
    assert (alert["event"]["kind"], alert["event"]["severity"]) == ("alert", 73)
    assert alert["threat"]["technique"] == [{"id": "T1078"}]
    assert alert["log"] == {"file": {"path": str(logs / "auth.log")}, "offset": 0}
    assert alert["host"]["name"] == "gw"
    assert alert["source"]["ip"] == "203.0.113.9"
    assert alert["vonggac"]["collector"] == "syslog"
    assert len(alert["vonggac"]["events"]) == 1
    assert alert["vonggac"]["unit"] == "default"


def test_ids_do_not_depend_on_workers_or_folder(vonggac: Command, logs: Path, rule: Path) -> None:
    options = ("--rules", rule, "--no-builtin-rules")
    one = vonggac("scan", logs, *options, "--workers", "1")
    two = vonggac("scan", logs, *options, "--workers", "2")
    there = vonggac("scan", os.path.relpath(logs, logs.parent), *options, "--workers", "2")
    ids = [alert["event"]["id"] for alert in one.rows]
    assert len(set(ids)) == 3
    assert ids == [alert["event"]["id"] for alert in two.rows] == [alert["event"]["id"] for alert in there.rows]


def test_the_summary_counts_everything(vonggac: Command, logs: Path, rule: Path, tmp_path: Path) -> None:
    (rule / "broken.yml").write_text(
        "title: x\nlogsource: {product: linux}\ndetection:\n  s: {a|nope: 1}\n  condition: s\n"
    )
    os.mkfifo(logs / "fifo")
    ran = vonggac(
        "scan", logs, "--rules", rule, "--no-builtin-rules", "--detector", "sigma", "--summary", tmp_path / "s.json"
    )
    assert ran.status == 3, "a FIFO could not be read"
    counts = orjson.loads((tmp_path / "s.json").read_bytes())
    assert counts["inputs"] == 4
    assert counts["inputs_failed"] == [{"path": str(logs / "fifo"), "reason": "is a FIFO, not a file"}]
    assert (counts["events"], counts["events_failed"], counts["alerts"]) == (6, 0, 3)
    assert counts["by_collector"] == {"syslog": 6}
    assert counts["by_rule"] == {"6f0a1f0e-2a53-4c0e-9d0c-0f5a8e1c7b11": 3}
    assert counts["by_level"] == {"high": 3}
    assert counts["rules_loaded"] == 1
    [refused] = counts["rules_refused"]
    assert refused["path"].endswith("broken.yml")
    assert "nope" in refused["reason"]
    assert f"{logs / 'fifo'}: is a FIFO, not a file" in ran.err


def test_fail_on_gives_exit_status_one(vonggac: Command, logs: Path, rule: Path) -> None:
    options = ("scan", logs / "auth.log", "--rules", rule, "--no-builtin-rules")
    assert vonggac(*options, "--fail-on", "high").status == 1
    assert vonggac(*options, "--fail-on", "critical").status == 0
    assert vonggac(*options, "--min-level", "critical").out == ""


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [("2026-03-01T00:00:00+07:00", "2026-03-01T01:02:02+07:00", 1), ("2026-03-01T01:02:02+07:00", None, 2)],
)
def test_times_bound_what_is_judged(
    vonggac: Command, logs: Path, rule: Path, since: str, until: str | None, found: int
) -> None:
    for file in logs.iterdir():
        os.utime(file, (1772326923, 1772326923))  # March 2026: the year of the lines
    data = (logs / "day.zip").read_bytes()
    (logs / "day.zip").unlink()
    del data
    (logs / "third.log").write_text(HIT.format(3))
    os.utime(logs / "third.log", (1772326923, 1772326923))
    more = ("--until", until) if until else ()
    ran = vonggac("scan", logs, "--rules", rule, "--no-builtin-rules", "--since", since, *more)
    assert len(ran.rows) == found, ran.err


@pytest.mark.parametrize("form", ["table", "csv", "timeline"])
def test_other_formats(vonggac: Command, logs: Path, rule: Path, form: str) -> None:
    ran = vonggac("scan", logs, "--rules", rule, "--no-builtin-rules", "--format", form)
    assert ran.status == 0
    assert "Root logs in by password" in ran.out
    assert ran.out.count("\n") >= 4 if form != "table" else "3" in ran.out


def test_nothing_half_written_stays(vonggac: Command, logs: Path, rule: Path, tmp_path: Path) -> None:
    out = tmp_path / "alerts.jsonl"
    assert vonggac("scan", logs, "--rules", rule, "--no-builtin-rules", "--output", out).status == 0
    assert len(out.read_bytes().splitlines()) == 3
    assert not out.with_name("alerts.jsonl.new").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "nothing to scan"),
        (("x", "--collector", "nix"), "no collector 'nix'; known: "),
        (("x", "--detector", "nix"), "no detector 'nix'; known: sigma, yara"),
        (("x", "--rules", "nix"), "no rule pack 'nix'"),
        (("x", "--logsource", "produkt=x"), "--logsource: 'produkt=x' does not fit"),
        (("x", "--since", "gestern"), "--since: 'gestern' is no time"),
        (("x", "--min-level", "loud"), "'loud' is not one of"),
        (("x", "--workers", "0"), "--workers"),
    ],
)
def test_wrong_use_is_one_line(vonggac: Command, arguments: tuple[str, ...], says: str) -> None:
    ran = vonggac("scan", *arguments)
    assert ran.status == 2
    assert says in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""


def test_a_missing_path_is_named_and_the_rest_is_scanned(
    vonggac: Command, logs: Path, rule: Path, tmp_path: Path
) -> None:
    ran = vonggac("scan", tmp_path / "gone", logs / "auth.log", "--rules", rule, "--no-builtin-rules")
    assert ran.status == 3
    assert f"{tmp_path / 'gone'}: No such file or directory" in ran.err
    assert len(ran.rows) == 1


def test_units_and_drills_are_stamped(vonggac: Command, logs: Path, rule: Path, tmp_path: Path) -> None:
    (tmp_path / "u.csv").write_text("id,name,parent,hosts,networks\nso-a,Sở A,,gw,\n", "utf-8")
    assert vonggac("unit", "import", tmp_path / "u.csv").status == 0
    ran = vonggac("scan", logs / "auth.log", "--rules", rule, "--no-builtin-rules", "--drill", "DT-2026")
    [alert] = ran.rows
    assert alert["vonggac"]["unit"] == "so-a"
    assert alert["labels"] == {"drill": "DT-2026"}


def test_our_own_rules_run_without_anything(vonggac: Command, logs: Path) -> None:
    ran = vonggac("scan", logs)
    assert ran.status == 0, ran.err
    assert all(alert["rule"]["ruleset"] == "vonggac" for alert in ran.rows)


@pytest.mark.parametrize("command", [("scan",), ("scan", "--format", "table"), ("scan", "--format", "csv"), ("parse",)])
def test_a_reader_that_leaves_is_no_fault(tmp_path: Path, logs: Path, command: tuple[str, ...]) -> None:
    (logs / "many.log").write_text(HIT.format(1) * 20_000)
    words = [sys.executable, "-P", "-m", "vonggac", *command, str(logs), "--workers", "1"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")


def test_what_cannot_be_written_is_named(vonggac: Command, logs: Path) -> None:
    ran = vonggac("scan", logs, "--output", "/dev/full")
    assert (ran.status, ran.out, ran.err) == (2, "", "vonggac: /dev/full: No space left on device\n")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupted_scan_leaves_nothing(tmp_path: Path, logs: Path, ending: signal.Signals, workers: str) -> None:
    (logs / "many.log").write_text(HIT.format(1) * 500_000)  # seconds of work: the signal comes in their midst
    # the script, not `-m`: there Python ends itself by SIGINT, whatever exit() says, if Ctrl-C came while exec() ran
    script = str(Path(sys.executable).with_name("vonggac"))
    words = [script, "parse", str(logs), "--workers", workers, "--output", "out.jsonl"]
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not list(tmp_path.glob(".out.jsonl.*.new")):
            pass
        process.send_signal(ending)
        assert process.stderr is not None
        assert process.stderr.read().strip() == b""
    assert process.returncode == 130
    assert list(tmp_path.glob("*out.jsonl*")) == []


def test_inputs_of_no_known_format_are_counted_aloud(vonggac: Command, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("what nobody knows\n")
    ran = vonggac("parse", tmp_path / "notes")
    assert (ran.status, len(ran.rows)) == (0, 1)
    assert "1 inputs are of no known log format" in ran.err


@pytest.mark.parametrize(
    ("width", "shown", "not_shown"),
    [
        ("80", ("level", "rule", "host", "count", "last (UTC+7)"), ("first", "matched", "user")),
        ("120", ("rule", "user", "last", "matched"), ("first",)),
        ("160", ("rule", "user", "first", "last", "matched"), ()),
    ],
)
def test_a_table_leaves_out_what_the_screen_has_no_room_for(
    vonggac: Command, logs: Path, rule: Path, width: str, shown: tuple[str, ...], not_shown: tuple[str, ...]
) -> None:
    options = ("--rules", rule, "--no-builtin-rules", "--format", "table")
    ran = vonggac("scan", logs, *options, environ={"COLUMNS": width})
    head = next(line for line in ran.out.splitlines() if "level" in line)
    assert [name for name in (*shown, *not_shown) if name in head] == [*shown]
    assert "Root logs in by" in ran.out
    assert max(map(len, ran.out.splitlines())) <= int(width)


def test_a_detector_named_twice_judges_once(vonggac: Command, logs: Path, rule: Path) -> None:
    options = ("--rules", rule, "--no-builtin-rules", "--detector", "sigma", "--detector", "sigma")
    assert len(vonggac("scan", logs / "auth.log", *options).rows) == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_store_hands_the_events_over(vonggac: Command, tmp_path: Path, workers: str) -> None:
    source = tmp_path / "logs"
    source.mkdir()
    for name in ("a", "b"):
        (source / f"{name}.json").write_text("".join(f'{{"{name}": {number}}}\n' for number in range(150)))
    (source / "tool.bin").write_bytes(b"MZ\0\1" * 100)
    ran = vonggac("scan", source, "--store", "--workers", workers, "--no-builtin-rules")
    assert ran.status == 0, ran.err
    assert "301 events handed over" in ran.err
    handed = [
        orjson.loads(line)
        for path in sorted((tmp_path / "data" / "inbox" / ".spool").iterdir())
        for line in zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines()
    ]
    assert len({one["event"]["id"] for one in handed}) == 301
    assert {one["vonggac"]["collector"] for one in handed} == {"json", "file"}
    assert ran.rows == []
