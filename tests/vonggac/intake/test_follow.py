"""Followed files: every whole line once, through growth, rotation, truncation and kills, with the ids of a scan."""

import gzip
import os
import shutil
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from vonggac import shelf
from vonggac.event import Event
from vonggac.intake import _followed, follow
from vonggac.intake._grows import head_of
from vonggac.intake.follow import Follow
from vonggac.intaketesting import Committed, drained, running
from vonggac.ports import ReadOptions
from vonggac.reading.source import plain


def following(*paths: Path, units: dict[str, str] | None = None, **more: Any) -> Follow:
    more = {"patience_s": 0.1, "pause_s": 0.005, **more}
    intake = Follow([str(path) for path in paths], units or {}, ReadOptions(), **more)
    intake.open()
    return intake


def lines(start: int, count: int, host: str = "fw1") -> str:
    return "".join(f"<34>Mar  1 08:00:00 {host} sshd[7]: line {number}\n" for number in range(start, start + count))


def seen(log: Committed) -> Counter[str]:
    return Counter(event["message"] for event in log.events())


def wanted(count: int) -> dict[str, int]:
    return {f"line {number}": 1 for number in range(count)}


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def known(path: Path, log: Committed) -> bool:
    """Say whether something of the file was committed: a rotation before that, to where nobody looks, is not seen."""
    with path.open("rb") as file:
        return f"follow:{path.stat().st_ino:x}.{head_of(file.fileno())}" in log.marks


def scanned(path: Path, collector: str) -> list[str]:
    module = shelf.collector(collector)
    batches = module.open(plain(str(path)), ReadOptions()).read(None)
    return [record.id for records, _ in batches for record in records if isinstance(record, Event)]


def test_whole_lines_come_as_a_scan_would_give_them(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    log = Committed()
    intake = following(path, units={str(path): "so-yte"})
    with running(intake, {}) as inlet:

        def upto(count: int) -> None:
            for _ in range(2_000):
                if len(log.events()) >= count:
                    return
                log.commit(inlet, inlet.take(0.01, 1 << 20))

        upto(0)  # it does not exist yet
        text = lines(0, 300)
        path.write_text(text[:-7])
        upto(299)
        assert len(log.events()) == 299, "never half a line"
        add(path, text[-7:])
        upto(300)
        add(path, lines(300, 5))
        upto(305)
    assert seen(log) == wanted(305)
    assert [event["event"]["id"] for event in log.events()] == scanned(path, "syslog")
    assert {event["vonggac"]["unit"] for event in log.events()} == {"so-yte"}
    assert {event["log"]["file"]["path"] for event in log.events()} == {str(path)}


@pytest.mark.parametrize("seed", range(10))
def test_rotations_and_kills_at_any_moment(tmp_path: Path, seed: int) -> None:
    """Write, rotate by rename, throw lives away between commits: in the end every line is there once.

    Where only the one name is followed, a file is rotated when it has been seen under it.
    """
    random = Random(seed)
    path = tmp_path / "messages"
    listed = [tmp_path / "messages*"] if seed % 2 else [path]
    log = Committed()
    written = 0
    for turn in range(12):
        with running(following(*listed), log.marks) as inlet:
            for _ in range(random.randrange(4)):
                count = random.randrange(60)
                text = lines(written, count)
                cut = random.randrange(len(text) + 1)
                add(path, text[:cut])
                log.commit(inlet, inlet.take(0.02, random.choice((1, 1 << 20))))
                add(path, text[cut:])
                written += count
                if random.random() < 0.4 and path.exists() and (seed % 2 or known(path, log)):
                    path.rename(tmp_path / f"messages.{turn}.{written}")
            log.commit(inlet, inlet.take(0.02, random.choice((1, 1 << 20))))
    drained(following(*listed), log, lambda: len(log.events()) >= written)
    assert seen(log) == wanted(written)


@pytest.mark.parametrize("inside", [True, False], ids=["copy-followed", "copy-not-followed"])
@pytest.mark.parametrize("seed", range(4))
def test_copytruncate(tmp_path: Path, seed: int, inside: bool) -> None:
    random = Random(seed)
    path = tmp_path / "app.log"
    listed = tmp_path / ("app.log*" if inside else "app.log")
    log = Committed()
    written = 0
    for turn in range(4):
        with running(following(listed), log.marks) as inlet:
            for _ in range(3):
                count = 1 + random.randrange(40)
                add(path, lines(written, count))
                written += count
                log.commit(inlet, inlet.take(0.02, random.choice((1, 1 << 20))))
        if random.random() < 0.7 and (inside or known(path, log)):
            shutil.copy(path, tmp_path / f"app.log.{turn}")
            os.truncate(path, 0)
    drained(following(listed), log, lambda: len(log.events()) >= written)
    assert seen(log) == wanted(written)


def test_copytruncate_under_its_eyes(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    log = Committed()
    written = 0
    with running(following(tmp_path / "app.log*"), {}) as inlet:
        for turn in range(5):
            add(path, lines(written, 30))
            written += 30
            log.commit(inlet, inlet.take(0.1, 1 << 20))
            shutil.copy(path, tmp_path / f"app.log.{turn}")
            os.truncate(path, 0)
            for _ in range(10):
                log.commit(inlet, inlet.take(0.02, 1 << 20))
        for _ in range(200):
            if len(log.events()) >= written:
                break
            log.commit(inlet, inlet.take(0.05, 1 << 20))
    assert seen(log) == wanted(written)


def test_the_last_line_of_a_rotated_file_counts_without_its_newline(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text(lines(0, 3)[:-1])
    log = Committed()
    drained(following(path), log, lambda: len(log.events()) == 2)
    path.rename(tmp_path / "messages.1")
    path.write_text(lines(3, 1))
    drained(following(path), log, lambda: len(log.events()) == 4)
    assert seen(log) == wanted(4)


def test_what_was_compressed_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text(lines(0, 20))
    log = Committed()
    drained(following(tmp_path), log, lambda: len(log.events()) == 20)
    (tmp_path / "messages.1.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    path.write_text(lines(20, 5))
    drained(following(tmp_path), log, lambda: len(log.events()) == 25)
    assert seen(log) == wanted(25)
    assert len(log.marks) == 1


def test_what_is_gone_is_named(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text(lines(0, 20))
    log = Committed()
    drained(following(path), log, lambda: len(log.events()) == 20)
    path.unlink()
    drained(following(path), log, lambda: not log.marks)
    assert any("gone while nobody followed it" in line for line in log.dead())


@pytest.mark.parametrize(
    ("collector", "text"),
    [
        (
            "weblog",
            "#Software: IIS\n#Version: 1.0\n#Date: 2026-03-01 00:00:00\n"
            "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n"
            + "".join(f"2026-03-01 00:00:01 192.0.2.7 GET /{number} 200\n" for number in range(250)),
        ),
        (
            "zeek",
            "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
            "#fields\tts\tuid\tid.orig_h\n#types\ttime\tstring\taddr\n"
            + "".join(f"1772323200.{number:06d}\tC{number}\t192.0.2.7\n" for number in range(250)),
        ),
        (
            "auditd",
            "".join(
                f"type=SYSCALL msg=audit(1772323200.{number:03d}:{number}): arch=c000003e syscall=59 success=yes "
                f'exe="/bin/ls"\ntype=EXECVE msg=audit(1772323200.{number:03d}:{number}): argc=1 a0="ls"\n'
                for number in range(250)
            ),
        ),
        ("json", "".join(f'{{\n  "n": {number}\n}}\n' for number in range(250))),
        ("json", "".join(f'{{"n": {number}}}\n' for number in range(250))),
    ],
)
def test_logs_whose_lines_do_not_stand_alone(
    tmp_path: Path, collector: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file grows in odd pieces while lives end at odd moments; in the end the ids are a scan's."""
    monkeypatch.setattr(_followed, "OLD", 0.15)
    monkeypatch.setattr(follow, "TURN", 3_000)
    whole = tmp_path / "whole"
    whole.write_text(text)
    ids = scanned(whole, collector)
    path = tmp_path / "grows.log"
    log = Committed()
    at = 0
    whole_end = {"{\n": "\n}\n", "ty": 'a0="ls"\n'}.get(text[:2], "")
    for turn, size in enumerate((1_500, 777, 3_131, 9_000, 17, 2_222, len(text))):
        with running(following(path), log.marks) as inlet:
            end = at + size
            if whole_end:  # what is of many lines comes whole within two seconds
                end = text.index(whole_end, end) + len(whole_end) if end < len(text) else len(text)
            piece = text[at:end]
            add(path, piece)
            at += len(piece)
            for _ in range(turn % 3 + 1):
                log.commit(inlet, inlet.take(0.1, 1))
    add(path, text[at:])
    drained(following(path), log, lambda: len(log.events()) >= len(ids))
    assert log.ids() == Counter(ids)
    assert {event["vonggac"]["collector"] for event in log.events()} == {collector}
    assert log.dead() == []


def test_from_its_end_when_so_asked(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text(lines(0, 20))
    log = Committed()
    drained(following(path, from_start=False), log, lambda: len(log.marks) == 1)
    add(path, lines(20, 5))
    drained(following(path, from_start=False), log, lambda: len(log.events()) == 5)
    path.rename(tmp_path / "messages.1")
    path.write_text(lines(25, 5))
    drained(following(path, from_start=False), log, lambda: len(log.events()) == 10)
    assert seen(log) == {f"line {number}": 1 for number in range(20, 30)}


def test_many_files_and_those_that_appear(tmp_path: Path) -> None:
    for number in range(400):
        (tmp_path / f"{number}.log").write_text(lines(number, 1, f"h{number}"))
    log = Committed()
    intake = following(tmp_path)
    drained(intake, log, lambda: len(log.events()) == 400)
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "x.log").write_text(lines(400, 1))
    drained(following(tmp_path), log, lambda: len(log.events()) == 401)
    assert seen(log) == wanted(401)


def test_what_cannot_be_followed_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\n" + bytes(4_000) + b"\n")
    log = Committed()
    drained(following(tmp_path), log, lambda: bool(log.dead()))
    assert "only logs of lines can be followed" in log.dead()[0]


def test_events_that_are_longer_than_a_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_followed, "OLD", 0.1)
    monkeypatch.setattr(follow, "TURN", 2_000)
    path = tmp_path / "app.json"
    path.write_text("".join(f'{{\n  "n": {number},\n  "text": "{"x" * 9_000}"\n}}\n' for number in range(30)))
    log = Committed()
    drained(following(path), log, lambda: len(log.events()) == 30)
    assert [event["event"]["id"] for event in log.events()] == scanned(path, "json")


def test_what_was_no_log_may_become_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"\n" + bytes(4_000) + b"\n")
    log = Committed()
    intake = following(path)
    with running(intake, {}) as inlet:
        log.commit(inlet, inlet.take(5, 1))
        path.write_text(lines(0, 3))
        for _ in range(200):
            if log.events():
                break
            log.commit(inlet, inlet.take(0.05, 1 << 20))
    assert seen(log) == wanted(3)


def test_a_huge_line_passes(tmp_path: Path) -> None:
    path = tmp_path / "messages"
    path.write_text(lines(0, 1) + "x" * (9 << 20) + "\n" + lines(1, 1))
    log = Committed()
    drained(following(path), log, lambda: len(log.events()) == 2)
    assert any("above the limit" in line for line in log.dead())
    assert seen(log) == wanted(2)


def test_a_unit_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none of follow\.paths"):
        following(tmp_path, units={"/elsewhere": "so-yte"})
