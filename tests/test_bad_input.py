"""Bad input is an ordinary case: one line names file, place and reason, it is counted, and the rest goes on.

Each case lies beside a good log in one folder; the good log's alert must come whatever lies beside it.
"""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

if TYPE_CHECKING:
    from tests.conftest import Ran

    Command = Callable[..., Ran]

RULE = """\
title: Root logs in by password
id: 6f0a1f0e-2a53-4c0e-9d0c-0f5a8e1c7b11
level: high
logsource: {product: linux, service: sshd}
detection:
    keywords: ['Accepted password for root']
    condition: keywords
"""
GOOD = b"Mar  1 01:02:01 gw sshd[411]: Accepted password for root from 203.0.113.9 port 40112 ssh2\n"


@pytest.fixture
def scan(vonggac: Command, tmp_path: Path) -> Callable[[], tuple[Ran, dict[str, Any]]]:
    """Scan the folder `in` and give the run and its summary; the good log must have been judged."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "zz-good.log").write_bytes(GOOD)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "root.yml").write_text(RULE)

    def run() -> tuple[Ran, dict[str, Any]]:
        summary = tmp_path / "summary.json"
        ran = vonggac(
            "scan", tmp_path / "in", "--rules", tmp_path / "rules", "--no-builtin-rules", "--summary", summary
        )
        assert "Traceback" not in ran.err
        good = [row for row in ran.rows if row["log"]["file"]["path"].endswith("zz-good.log")]
        assert len(good) == 1, ran.err
        counts: dict[str, Any] = orjson.loads(summary.read_bytes())
        return ran, counts

    return run


Scan = Callable[[], "tuple[Ran, dict[str, Any]]"]

RECORDS = {
    "depth": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "cut": b'{"a": {"b": ',
    "lone-surrogate": b'{"a": "\\ud800"}',
    "nan": b'{"a": NaN}',
    "not-utf8": b'{"a": "\xff\xfe"}',
    "control": b'{"a": "\x01"}',
    "trailing": b'{"a": 1} }',
}


@pytest.mark.parametrize("bad", RECORDS.values(), ids=RECORDS)
def test_a_json_record_that_cannot_be_read(scan: Scan, tmp_path: Path, bad: bytes) -> None:
    (tmp_path / "in" / "a.json").write_bytes(b'{"n": 1}\n' + bad + b'\n{"n": 2}\n')
    ran, counts = scan()
    assert ran.status == 3
    assert counts["events"] == 3, "the two good records beside it, and the good log's"
    assert counts["events_failed"] == 1
    [line] = [line for line in ran.err.splitlines() if "a.json" in line]
    assert "offset 9: " in line


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"9" * 400, b"0." + b"1" * 400])
def test_huge_numbers_stop_nothing(scan: Scan, tmp_path: Path, number: bytes) -> None:
    (tmp_path / "in" / "a.json").write_bytes(b'{"n": 1}\n{"n": ' + number + b'}\n{"n": 2}\n')
    _, counts = scan()
    assert counts["events"] + counts["events_failed"] - counts["events_kept"] == 4
    assert counts["events"] >= 3


def test_a_doubled_key_is_judged_and_named(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "in" / "a.json").write_bytes(b'{"n": 1, "n": 2}\n')
    ran, counts = scan()
    assert (counts["events"], counts["events_failed"], counts["events_kept"]) == (2, 1, 1)
    assert "key 'n' stands twice" in ran.err


def test_invalid_utf8_and_nul_bytes_are_judged_and_named(scan: Scan, tmp_path: Path) -> None:
    line = b"Mar  1 01:02:02 gw sshd[9]: Accepted password for root from \xff\xfe port 1 ssh2"
    (tmp_path / "in" / "a.log").write_bytes(GOOD * 30 + line + b"\n" + GOOD[:-1] + b"\x00\x00\n")
    ran, counts = scan()
    assert ran.status == 0, "all of it was judged"
    assert counts["alerts"] == 33
    assert (counts["events_failed"], counts["events_kept"]) == (2, 2)
    assert len([line for line in ran.err.splitlines() if "a.log: offset" in line]) == 2


def test_a_line_of_120_mb_is_named_and_memory_stays_bounded(scan: Scan, tmp_path: Path) -> None:
    with (tmp_path / "in" / "a.log").open("wb") as file:
        file.write(GOOD)
        for _ in range(120):
            file.write(b"x" * (1 << 20))
        file.write(b"\n" + GOOD)
    ran, counts = scan()
    assert counts["alerts"] == 3
    assert counts["events_failed"] == 1
    assert "line of 125,829,120 bytes is above the limit" in ran.err
    assert counts["rss_mb"] <= 400


def test_a_cut_gzip_gives_what_stands_before_the_cut(scan: Scan, tmp_path: Path) -> None:
    noise = b"".join(GOOD[:-1] + os.urandom(30).hex().encode() + b"\n" for _ in range(5_000))
    (tmp_path / "in" / "a.log.gz").write_bytes(gzip.compress(noise)[:-1_000])
    ran, counts = scan()
    assert ran.status == 3
    assert counts["alerts"] > 3_000
    [failed] = counts["inputs_failed"]
    assert failed["path"].endswith("a.log.gz")
    assert "ended before" in failed["reason"]


def test_what_is_no_file(scan: Scan, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    os.mkfifo(folder / "fifo")
    (folder / "gone").symlink_to("nowhere")
    (folder / "loop").symlink_to(".")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "sock"))
        ran, counts = scan()
    assert ran.status == 3
    assert {Path(one["path"]).name: one["reason"] for one in counts["inputs_failed"]} == {
        "fifo": "is a FIFO, not a file",
        "gone": "dangling link: No such file or directory",
        "loop": "link loop: it leads back to a folder above it",
        "sock": "is a socket, not a file",
    }


def test_archives_that_bite(scan: Scan, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "in" / "a.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("../../climb.log")
        member.size = len(GOOD)
        archive.addfile(member, io.BytesIO(GOOD))
        member = tarfile.TarInfo("inside.log")
        member.size = len(GOOD)
        archive.addfile(member, io.BytesIO(GOOD))
    with zipfile.ZipFile(tmp_path / "in" / "bomb.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bomb:
        bomb.writestr("0.log", bytes(300 << 20))
    ran, counts = scan()
    assert ran.status == 3
    assert counts["alerts"] == 2, "the member that stays inside is read"
    reasons = {one["path"].split("/in/")[1]: one["reason"] for one in counts["inputs_failed"]}
    assert reasons["a.tar.gz!../../climb.log"].startswith("member climbs out")
    assert any(name.startswith("bomb.zip") and "a bomb" in reason for name, reason in reasons.items())


def test_a_name_that_is_no_utf8(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "in" / os.fsdecode(b"a\xff.log")).write_bytes(GOOD)
    _, counts = scan()
    assert counts["alerts"] == 2


BAD_RULES = {
    "regex": (RULE.replace("['Accepted password for root']", "{a|re: '('}"), "("),
    "modifier": (RULE.replace("keywords:", "k2: {a|frobnicate: 1}\n    keywords:"), "frobnicate"),
    "condition": (RULE.replace("condition: keywords", "condition: keywords and nothing"), "nothing"),
    "expand": (RULE.replace("['Accepted password for root']", "{a|expand: '%unknown%'}"), "unknown"),
    "not-yaml": ("title: [", ""),
    "bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "",
    ),
    "correlation": (
        "title: c\ncorrelation: {type: event_count, rules: [x], group-by: [a], timespan: 5m, condition: {gte: 3}}\n",
        "correlation",
    ),
    "filter": (
        "title: f\nlogsource: {product: linux}\nfilter: {rules: [x], selection: {a: 1}, condition: not selection}\n",
        "filter",
    ),
    "level": (RULE.replace("level: high", "level: loud"), "loud"),
}


@pytest.mark.parametrize(("text", "says"), BAD_RULES.values(), ids=BAD_RULES)
def test_a_rule_that_cannot_run_is_refused_by_name(scan: Scan, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "rules" / "bad.yml").write_text(text.replace("6f0a1f0e", "00000000"))
    ran, counts = scan()
    assert counts["rules_loaded"] == 1
    [refused] = counts["rules_refused"]
    assert refused["path"].endswith("bad.yml")
    assert refused["line"] >= 1
    assert says in refused["reason"]
    assert "bad.yml:" in ran.err


def test_a_yara_rule_that_does_not_compile_is_refused_by_name(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "rules" / "bad.yar").write_text("rule x { condition: nonsense }\n")
    _, counts = scan()
    [refused] = counts["rules_refused"]
    assert refused["path"].endswith("bad.yar")
    assert refused["line"] == 1
