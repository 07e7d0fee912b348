"""The journal of this machine: an input like any other; closing it ends the child."""

import os
import subprocess
from pathlib import Path

import pytest

from vonggac.reading.journal import journal_source, journal_stream, readable

ENTRY = '{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1772326923000000","MESSAGE":"x"}'


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program of that name on the PATH that prints one entry, and then waits to be ended."""
    program = tmp_path / "journalctl"
    one = f"echo '{ENTRY}'"
    program.write_text(
        f'#!/bin/sh\n{one}\ncase "$*" in *--lines=1*) ;; *) echo $$ >{tmp_path}/pid; exec sleep 60 ;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_an_entry_means_that_it_is_readable(journalctl: Path) -> None:
    assert readable()


def test_closing_the_journal_ends_its_program(journalctl: Path) -> None:
    seen = subprocess.run(["journalctl", "--lines=1"], capture_output=True, check=True).stdout
    assert seen.decode().strip() == ENTRY
    stream = journal_stream(["journalctl"])
    assert stream.read(4) == ENTRY[:4].encode()
    while not (journalctl / "pid").exists():
        pass
    pid = int((journalctl / "pid").read_text())
    stream.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_that_fails_is_no_end_of_the_journal() -> None:
    stream = journal_stream(["sh", "-c", f"echo '{ENTRY}'; exit 3"])
    with stream:
        assert stream.read(1_000).decode().strip() == ENTRY
        with pytest.raises(OSError, match="journalctl ended with exit status 3"):
            stream.read(1_000)


def test_no_program_no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert not readable()
    with pytest.raises(OSError, match="journalctl"):
        journal_source()
