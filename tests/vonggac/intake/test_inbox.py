"""The inbox: everything that is dropped is read exactly once, whatever is killed when, and put away."""

import gzip
import os
import shutil
import socket
import threading
import zipfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

import orjson
import pytest

from vonggac.intake import _inboxfile
from vonggac.intake._look import Found, Resting, look
from vonggac.intake.inbox import Inbox
from vonggac.intaketesting import DEADLINE, Committed, drained, new_inlet, running
from vonggac.pipeline.job import Job
from vonggac.pipeline.job import Tally as ScanTally
from vonggac.pipeline.parts import Part
from vonggac.pipeline.scanner import Line, Scanner
from vonggac.ports import ReadOptions
from vonggac.reading.source import Limits
from vonggac.reading.walk import files

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def made(tmp_path: Path, **more: Any) -> Inbox:
    more = {"keep_days": 30, "rest_s": 0.02, **more}
    inbox = Inbox(tmp_path / "inbox", ReadOptions(), Limits(), examine=tmp_path / "examine", **more)
    inbox.open()
    return inbox


def left(tmp_path: Path, folder: str = "") -> set[str]:
    top = tmp_path / "inbox" / folder
    found = {path.relative_to(top) for path in top.rglob("*") if path.is_file()}
    return {str(path) for path in found if folder or not path.parts[0].startswith(".")}


def emptied(tmp_path: Path, log: Committed) -> Callable[[], bool]:
    return lambda: not left(tmp_path) and not log.marks


def syslog(count: int, host: str = "fw1") -> str:
    return "".join(f"<34>Mar  1 08:00:00 {host} sshd[7]: line {number}\n" for number in range(count))


def forms(root: Path) -> None:
    """Several forms of input, in folders of two units."""
    (root / "so-yte" / "may 1").mkdir(parents=True)
    (root / "so-tc").mkdir()
    (root / "so-yte" / "may 1" / "messages.log").write_text(syslog(250))
    (root / "so-yte" / "a.json").write_text("".join(f'{{"n": {number}}}\n' for number in range(130)) + "{broken\n")
    (root / "so-tc" / "auth.log.gz").write_bytes(gzip.compress(syslog(120, "web").encode()))
    (root / "so-tc" / "empty.log").write_text("")
    (root / "tool.bin").write_bytes(bytes(range(256)) * 20)
    with zipfile.ZipFile(root / "day.zip", "w") as archive:
        archive.writestr("x/one.log", syslog(110, "zip1"))
        archive.writestr("x/tool.exe", b"MZ\0\0" + bytes(4000))
        archive.writestr("two.json", '{"event": "login"}\n')


def scanned(root: Path) -> Counter[str]:
    scanner = Scanner(Job(mode="parse", now="2026-03-01T00:00:00.000000Z"))
    ids: Counter[str] = Counter()
    for path in files([str(root)]):
        assert isinstance(path, str)
        for found in scanner.read(Part(path), ScanTally()):
            if isinstance(found, Line):
                ids[orjson.loads(found.json)["event"]["id"]] += 1
    return ids


def test_a_folder_gives_what_a_scan_gives_and_is_empty_afterwards(tmp_path: Path) -> None:
    forms(tmp_path / "inbox")
    wanted = scanned(tmp_path / "inbox")
    before = left(tmp_path)
    log = Committed()
    inbox = made(tmp_path)
    drained(inbox, log, emptied(tmp_path, log))
    assert log.ids() == wanted
    assert left(tmp_path, ".done") == before, "a damaged record is no failed file"
    units = {event["log"]["file"]["path"].rpartition("/")[2]: event["vonggac"]["unit"] for event in log.events()}
    assert units["messages.log"] == units["a.json"] == "so-yte"
    assert units["auth.log.gz"] == "so-tc"
    assert [line for line in log.dead() if "not JSON" in line]
    assert inbox.figures()["files_total"] == 6
    assert inbox.figures()["files_waiting"] == 0


def test_what_is_no_log_waits_for_yara_as_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inboxfile, "EXAMINED", 4_000)
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "small.bin").write_bytes(b"MZ\0\1" * 500)
    (root / "large.bin").write_bytes(b"MZ\0\2" * 5_000)
    log = Committed()
    drained(made(tmp_path), log, emptied(tmp_path, log))
    named = {event["file"]["name"]: event["vonggac"].get("examine") for event in log.events()}
    assert named["large.bin"] is None
    digest = sha256(b"MZ\0\1" * 500).hexdigest()
    assert (named["small.bin"] or "").startswith(f"{digest}.")
    [copy] = (tmp_path / "examine").iterdir()
    assert copy.name == named["small.bin"]
    assert copy.read_bytes() == b"MZ\0\1" * 500


@pytest.mark.parametrize("seed", range(6))
def test_after_a_kill_reading_goes_on_behind_the_last_commit(tmp_path: Path, seed: int) -> None:
    """Commit some of what was handed over, throw the rest away with the process, begin again."""
    forms(tmp_path / "inbox")
    wanted = scanned(tmp_path / "inbox")
    log = Committed()
    done = emptied(tmp_path, log)
    turn = 0
    end = monotonic() + DEADLINE
    while not done():
        assert monotonic() < end
        turn += 1
        with running(made(tmp_path), log.marks) as inlet:
            allowed = 1 + (seed * 7 + turn * 3) % 5  # commits of this life
            quiet = monotonic() + 0.5
            while allowed and monotonic() < quiet and not done():
                if taken := inlet.take(0.02, 1 + (seed * 13 + turn) % 3 * 20_000):
                    log.commit(inlet, taken)
                    allowed -= 1
    assert log.ids() == wanted
    assert len(list((tmp_path / "examine").iterdir())) == 2, "no copy is orphaned"


def test_what_is_not_finished_or_not_ours_is_left(tmp_path: Path) -> None:
    root = tmp_path / "inbox"
    (root / ".hidden").mkdir(parents=True)
    for name in ("a.part", "b.TMP", "c.crdownload", "d.filepart", ".e", ".hidden/f"):
        (root / name).write_text(syslog(1))
    (tmp_path / "outside.log").write_text(syslog(1, "outside"))
    (root / "link.log").symlink_to(tmp_path / "outside.log")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
        (root / "z.log").write_text(syslog(1))
        log = Committed()
        drained(made(tmp_path), log, lambda: left(tmp_path, ".done") == {"z.log"} and not log.marks)
    assert len(log.events()) == 1
    assert sorted(line.rpartition("/")[2] for line in log.dead()) == [
        "fifo: is a FIFO, not a file: left where it is",
        "link.log: is a link, not a file: left where it is",
        "socket: is a socket, not a file: left where it is",
    ]
    assert {"a.part", "link.log", "b.TMP"} <= {path.name for path in root.iterdir()}


def test_what_cannot_be_read_is_named_and_set_apart(tmp_path: Path) -> None:
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "cut.log.gz").write_bytes(gzip.compress(syslog(5_000).encode())[:-40])
    (root / "good.log").write_text(syslog(3))
    log = Committed()
    drained(made(tmp_path), log, emptied(tmp_path, log))
    assert left(tmp_path, ".failed") == {"cut.log.gz"}
    assert left(tmp_path, ".done") == {"good.log"}
    assert len([line for line in log.dead() if "cut.log.gz" in line]) == 1


def test_a_file_in_the_writers_hand_waits(tmp_path: Path) -> None:
    path = tmp_path / "grows.log"
    path.write_text(syslog(1))
    resting = Resting(0.5)

    def rested(now: float) -> list[str]:
        found = [one for one in look(str(tmp_path)) if isinstance(one, Found)]
        return [one.inside for one in resting.rested(found, now)]

    assert rested(0.0) == []
    assert rested(0.4) == []
    assert rested(0.6) == ["grows.log"]
    with path.open("a") as writer:
        writer.write(syslog(1))
        writer.flush()
        assert rested(1.0) == []
        assert rested(1.8) == [], "it is open for writing"
        assert rested(6.5) == ["grows.log"], "but not for ever"


def test_a_file_that_grew_afterwards_comes_as_a_new_one_and_names_do_not_clash(tmp_path: Path) -> None:
    root = tmp_path / "inbox"
    root.mkdir()
    log = Committed()
    for count in (1, 2):
        (root / "a.log").write_text(syslog(count, f"host{count}"))
        drained(made(tmp_path), log, emptied(tmp_path, log))
    assert left(tmp_path, ".done") == {"a.log", "a.log.1"}
    assert len(log.events()) == 3


def test_a_file_that_ended_the_process_is_not_read_again(tmp_path: Path) -> None:
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "deadly.log").write_text(syslog(1))
    (root / "good.log").write_text(syslog(1))
    told: list[str] = []
    log = Committed()
    inbox = made(tmp_path, working=told.append, skip=frozenset({str(root / "deadly.log")}))
    drained(inbox, log, emptied(tmp_path, log))
    assert left(tmp_path, ".failed") == {"deadly.log"}
    assert set(told) == {str(root / "good.log"), ""}
    assert told[-1] == ""
    assert [line for line in log.dead() if "ended the process" in line]


def test_what_cannot_be_moved_is_named_once_and_never_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may move anything, so the test refuses in the system's place."""
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "stays.log").write_text(syslog(2))
    rename = os.rename

    def refused(source: str, target: str) -> None:
        if str(source).endswith("stays.log"):
            raise PermissionError(13, "Permission denied")
        rename(source, target)

    log = Committed()
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refused)
        for _ in range(2):
            (root / "other.log").write_text(syslog(1, "other"))
            drained(made(tmp_path), log, lambda: left(tmp_path) == {"stays.log"} and len(log.marks) == 1)
    assert len(log.events()) == 4
    assert len([line for line in log.dead() if "cannot be moved" in line]) == 1
    inbox = made(tmp_path)
    (root / "stays.log").write_text(syslog(3))  # written to: a new file
    drained(inbox, log, emptied(tmp_path, log))
    assert len(log.events()) == 7


def test_old_files_are_deleted(tmp_path: Path) -> None:
    inbox = made(tmp_path, keep_days=1, clock=lambda: AT.timestamp() + 10**9)
    old = tmp_path / "inbox" / ".done" / "so-yte" / "old.log"
    old.parent.mkdir(parents=True)
    old.write_text("x")
    log = Committed()
    drained(inbox, log, lambda: not old.parent.exists())
    kept = tmp_path / "inbox" / ".failed" / "new.log"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("x")
    (tmp_path / "inbox" / "a.log").write_text(syslog(1))
    drained(made(tmp_path), log, emptied(tmp_path, log))
    assert kept.exists()


def test_a_full_disk_of_ours_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "tool.bin").write_bytes(b"MZ\0\1" * 500)
    inbox = made(tmp_path)
    inlet = new_inlet()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            inbox.run(inlet, {}, threading.Event())
    log = Committed()
    drained(inbox, log, emptied(tmp_path, log))
    assert left(tmp_path, ".done") == {"tool.bin"}
    assert len(log.events()) == 1


def test_many_small_files_beside_a_large_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "inbox"
    root.mkdir()
    (root / "large.log").write_text(syslog(4_000, "large"))
    for number in range(300):
        (root / f"{number}.json").write_text(f'{{"n": {number}}}\n')
    log = Committed()
    drained(made(tmp_path), log, emptied(tmp_path, log))
    assert len(log.events()) == 4_300
    order = [event["log"]["file"]["path"].endswith("large.log") for event in log.events()]
    assert not all(order[:4_000]), "the small ones do not wait for its end"


@pytest.mark.data
def test_real_logs_give_what_a_scan_gives(tmp_path: Path, test_data: Path) -> None:
    root = tmp_path / "inbox" / "so-yte"
    root.mkdir(parents=True)
    for kind in ("evtx", "suricata-eve", "zeek-logs", "auditd", "syslog", "host-json"):
        files_of_kind = [path for path in sorted((test_data / kind).rglob("*")) if path.is_file()]
        for number, path in enumerate([one for one in files_of_kind if one.stat().st_size < 400_000][:3]):
            shutil.copy(path, root / f"{kind}-{number}-{path.name}")
    wanted = scanned(root)
    log = Committed()
    drained(made(tmp_path), log, emptied(tmp_path, log))
    assert sum(wanted.values()) > 500
    assert log.ids() == wanted
