"""How a process ended."""

import signal
import subprocess
import sys

import pytest

from vonggac.reading.endings import ending


@pytest.mark.parametrize(
    ("status", "words"), [(0, "exit status 0"), (78, "exit status 78"), (-9, "SIGKILL"), (-11, "SIGSEGV")]
)
def test_status_or_signal(status: int, words: str) -> None:
    assert ending(status) == words


def test_a_signal_without_a_name() -> None:
    number = signal.SIGRTMIN + 6
    ended = subprocess.run(
        [sys.executable, "-c", f"import os; os.kill(os.getpid(), {number})"], check=False, stdin=subprocess.DEVNULL
    )
    assert ending(ended.returncode) == f"signal {number}"
