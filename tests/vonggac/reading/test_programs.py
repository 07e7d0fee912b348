import io
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vonggac.reading.programs import Bounds, MissingProgram, Program, confined, find

PYTHON = [sys.executable, "-I", "-S", "-c"]
BOUNDS = Bounds(seconds=60, drop=False)  # nobody may not be allowed to see this Python


def test_bytes_go_in_and_come_out() -> None:
    data = os.urandom(1 << 20)
    code = "import sys, shutil; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
    with Program([*PYTHON, code], BOUNDS, io.BytesIO(data)) as program:
        assert b"".join(program.output()) == data
        assert program.status == 0
        assert program.trouble() is None


def test_input_may_be_a_file_or_nothing(tmp_path: Path) -> None:
    code = "import sys; print(len(sys.stdin.buffer.read()))"
    (tmp_path / "x").write_bytes(b"12345")
    with (tmp_path / "x").open("rb") as file, Program([*PYTHON, code], BOUNDS, None, file) as program:
        assert b"".join(program.output()) == b"5\n"
    with Program([*PYTHON, code], BOUNDS, None) as program:
        assert b"".join(program.output()) == b"0\n"


def test_it_gets_no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VONGGAC_SECRET", "s3cret")
    with Program([*PYTHON, "import os; print(sorted(os.environ))"], BOUNDS, None) as program:
        told = b"".join(program.output())
    assert b"SECRET" not in told
    assert b"WIRESHARK_CONFIG_DIR" in told


def test_started_by_root_it_runs_as_nobody() -> None:
    with Program(["/usr/bin/id", "-u"], Bounds(seconds=60), None) as program:
        told = b"".join(program.output())
    assert told.strip() != b"0"


def test_it_gets_no_right_that_was_given_to_us_alone() -> None:
    """A service may hold CAP_NET_RAW as an ambient capability, which every program it starts would inherit."""
    command = confined(["/bin/cat", "/proc/self/status"], Bounds(10, drop=False))
    right = ["unshare", "-r", "setpriv", "--inh-caps", "+net_raw", "--ambient-caps", "+net_raw"]
    done = subprocess.run([*right, *command], capture_output=True, check=True)
    held = dict(line.split(":", 1) for line in done.stdout.decode().splitlines() if line.startswith("Cap"))
    assert int(held["CapAmb"], 16) == 0


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingProgram, match=r"^tshark is not installed: apt-get install tshark$"):
        find("tshark")


def test_time_is_limited() -> None:
    code = "import sys, time; print('a', flush=True); time.sleep(60)"
    with Program([*PYTHON, code], Bounds(seconds=1, drop=False), None) as program:
        assert b"".join(program.output()) == b"a\n"
        assert program.timed_out
        assert program.trouble() == "stopped after 1 s"


def test_processor_time_is_limited_too() -> None:
    """A program may work while nobody waits for it."""
    with Program([*PYTHON, "while True: pass"], Bounds(seconds=0.5, drop=False), None) as program:
        time.sleep(1.5)
        assert b"".join(program.output()) == b""
        assert program.trouble() == "stopped after 0.5 s"


def test_memory_is_limited() -> None:
    with Program([*PYTHON, "bytearray(1 << 30)"], Bounds(60, memory=256 << 20, drop=False), None) as program:
        assert b"".join(program.output()) == b""
        assert program.errors()[-1] == "MemoryError"


def test_the_consumer_may_stop_and_the_whole_group_ends() -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\ntime.sleep(60)"
    )
    with Program([*PYTHON, code], BOUNDS, None) as program:
        watched = os.pidfd_open(int(next(program.output())))
    assert program.status == -9
    ended, _, _ = select.select([watched], [], [], 30)
    os.close(watched)
    assert ended


def test_an_end_that_is_none() -> None:
    with Program([*PYTHON, "import sys; sys.exit('no such\\x1b thing')"], BOUNDS, None) as program:
        list(program.output())
        assert program.trouble() == "no such  thing"
        assert program.trouble(noise=["no such  thing"]) == "ended with status 1"
    with Program([*PYTHON, "import os; os.kill(os.getpid(), 6)"], BOUNDS, None) as program:
        list(program.output())
        assert program.trouble() == "ended by SIGABRT (limits: 2,048 MiB, 60 s)"


def test_an_input_that_breaks_is_kept_and_ends_there() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 4:
                raise EOFError("cut")  # noqa: EM101
            return super().read(4)

    with Program([*PYTHON, "import sys; print(sys.stdin.read())"], BOUNDS, Broken(b"12345678")) as program:
        assert b"".join(program.output()) == b"1234\n"
    assert isinstance(program.broken, EOFError)


def test_a_program_that_reads_nothing_is_no_trouble() -> None:
    with Program([*PYTHON, "print(1)"], BOUNDS, io.BytesIO(bytes(1 << 20))) as program:
        assert b"".join(program.output()) == b"1\n"
        assert program.trouble() is None


def test_a_flood_on_standard_error_is_bounded() -> None:
    with Program([*PYTHON, "import sys; sys.stderr.write('x' * (1 << 20)); sys.exit(2)"], BOUNDS, None) as program:
        list(program.output())
        assert program.trouble() == "x" * 500
