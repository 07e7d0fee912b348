"""The journal is followed from the last committed entry on; a `journalctl` of our own stands in for the real one."""

import shutil
import sys
from pathlib import Path

import pytest

from vonggac.intake.journald import Journald
from vonggac.intaketesting import Committed, drained, running

#: gives the entries of the file `journal` behind the cursor, notes how it was called, does as the file `then` says
PROGRAM = """\
#!{python} -IS
import json, pathlib, sys, time
here = pathlib.Path({here!r})
with (here / "called").open("a") as called:
    called.write(" ".join(sys.argv[1:]) + "\\n")
after = [one.partition("=")[2] for one in sys.argv if one.startswith("--after-cursor=")]
rows = [json.loads(line) for line in (here / "journal").read_text().splitlines()]
at = [row["__CURSOR"] for row in rows].index(after[0]) + 1 if after and after[0] != "c99" else 0
if after and after[0] == "c99":
    sys.stderr.write("Failed to seek to cursor: Invalid argument\\n")
    sys.exit(1)
then = (here / "then").read_text()
for row in rows[at : at + 7]:
    sys.stdout.write(json.dumps(row) + "\\n")
sys.stdout.flush()
if then == "end":
    sys.stderr.write("Journal file corrupted\\n")
    sys.exit(3)
time.sleep(60)
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "journalctl"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, here=str(tmp_path)))
    program.chmod(0o755)
    rows = [
        f'{{"__CURSOR": "c{number}", "__REALTIME_TIMESTAMP": "{1772323200000000 + number}", '
        f'"_BOOT_ID": "b", "_HOSTNAME": "gw", "MESSAGE": "m{number}"}}\n'
        for number in range(20)
    ]
    (tmp_path / "journal").write_text("".join(rows))
    (tmp_path / "then").write_text("end")
    monkeypatch.setenv("PATH", str(program.parent))
    return tmp_path


def opened(unit: str = "") -> Journald:
    intake = Journald(unit, back_off_s=0.01)
    intake.open()
    return intake


def test_each_entry_comes_once_though_the_program_ends_and_the_service_too(machine: Path) -> None:
    log = Committed()
    with running(opened("so-yte"), log.marks) as inlet:
        log.commit(inlet, inlet.take(10, 1))  # what else was handed over is lost with the process
    assert 0 < len(log.events()) < 20
    drained(opened("so-yte"), log, lambda: len(log.events()) >= 20)
    assert [event["message"] for event in log.events()] == [f"m{number}" for number in range(20)]
    assert {event["vonggac"]["unit"] for event in log.events()} == {"so-yte"}
    assert log.marks == {"journald:": b"c19 1772323200000019"}
    calls = (machine / "called").read_text().splitlines()
    assert calls[0] == "--quiet --no-pager --follow --no-tail --output=json --since=-1d"
    assert "--after-cursor=c6" in calls[1]
    assert any("Journal file corrupted" in line for line in log.dead())
    assert any("exit status 3" in line for line in log.dead())


def test_a_cursor_that_the_journal_has_lost_is_replaced_by_its_time(machine: Path) -> None:
    log = Committed()
    log.marks["journald:"] = b"c99 1772323200000000"
    drained(opened(), log, lambda: len(log.events()) >= 20)
    assert any("Failed to seek" in line for line in log.dead())
    assert "--since=@1772323200" in (machine / "called").read_text()


def test_it_stops_while_the_program_goes_on(machine: Path) -> None:
    (machine / "then").write_text("stay")
    log = Committed()
    intake = opened()
    drained(intake, log, lambda: len(log.events()) == 7)
    assert intake.figures() == {"entries_total": 7, "restarts_total": 0}


def test_without_the_program_it_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="journalctl is not on the PATH"):
        Journald().open()


def test_an_entry_without_end_is_named_and_the_next_is_read(machine: Path) -> None:
    program = machine / "bin" / "journalctl"
    program.write_text(
        f"#!{sys.executable} -IS\nimport sys, time\n"
        "sys.stdout.write('x' * (9 << 20) + '\\n')\n"
        'sys.stdout.write(\'{"__CURSOR": "c1", "_BOOT_ID": "b", "__REALTIME_TIMESTAMP": "1772323200000000", "MESSAGE": "m"}\\n\')\n'  # noqa: E501
        "sys.stdout.flush()\ntime.sleep(60)\n"
    )
    log = Committed()
    drained(opened(), log, lambda: len(log.events()) == 1)
    assert any("above the limit" in line for line in log.dead())


def test_each_entry_above_the_limit_is_named_however_much_the_program_says(machine: Path) -> None:
    program = machine / "bin" / "journalctl"
    program.write_text(
        f"#!{sys.executable} -IS\nimport sys, time\n"
        "for number in range(30):\n    sys.stderr.write(f'complaint {number}\\n')\nsys.stderr.flush()\n"
        "time.sleep(0.5)\n"
        "for _ in range(2):\n    sys.stdout.write('x' * (9 << 20) + '\\n')\n"
        "    sys.stdout.flush()\n    time.sleep(0.5)\n"
        "time.sleep(60)\n"
    )
    log = Committed()
    drained(opened(), log, lambda: sum("above the limit" in line for line in log.dead()) == 2)
    assert sum("complaint" in line for line in log.dead()) == 20


def test_the_real_program_knows_how_it_is_called() -> None:
    """Whether there is a journal here or not: it goes on following."""
    if shutil.which("journalctl") is None:
        return
    log = Committed()
    intake = opened()
    with running(intake, {"journald:": b"s=0;i=1;b=0;m=1;t=1;x=1 1"}) as inlet:
        log.commit(inlet, inlet.take(0.5, 1 << 20))
    assert not [line for line in log.dead() if "option" in line]
