"""The journal of this machine as an input: `journalctl` writes it, the collector `journald` reads it."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from typing import BinaryIO, Final, cast

from vonggac.ports import Source
from vonggac.reading.source import Limits, make

JOURNAL: Final = "journald:"
_DAYS: Final = 7


def readable() -> bool:
    """Say whether there is a journal to read here: the program, and at least one entry that this user may see."""
    program = shutil.which("journalctl")
    if program is None:
        return False
    command = [program, "--quiet", "--no-pager", "--lines=1", "--output=json"]
    seen = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=20)
    return seen.returncode == 0 and seen.stdout.startswith(b"{")


def journal_source() -> Source:
    """Give the last seven days of the journal; raises OSError when journalctl cannot be started."""
    program = shutil.which("journalctl") or "journalctl"
    command = [program, "--quiet", "--no-pager", f"--since=-{_DAYS}d", "--output=json"]

    return make(JOURNAL, None, datetime.now(UTC), lambda: journal_stream(command), None, Limits())


def journal_stream(command: list[str]) -> BinaryIO:
    """Start the program and give its output; raises OSError when it cannot be started."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return cast(BinaryIO, _Output(child))


class _Output:
    """A child's output; closing it ends the child."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        self._pipe = cast(BinaryIO, child.stdout)

    def read(self, size: int = -1) -> bytes:
        data = self._pipe.read(size)
        if not data and size != 0 and (status := self._child.wait()):
            msg = f"journalctl ended with exit status {status}"
            raise OSError(msg)
        return data

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self._pipe.close()
        self._child.terminate()
        self._child.wait()

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
