"""Outside programs (tshark …) on hostile input: bounded in memory and time, without rights, killed with their group."""

from __future__ import annotations

import os
import pwd
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from vonggac.reading.endings import ending
from vonggac.reading.source import READ_ERRORS

#: a folder that is not there, and that nobody, not even root, can make
_NOWHERE: Final = "/proc/none"
#: all that a program gets to know: no home, no user profile, no secrets of ours
ENVIRON: Final = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": _NOWHERE,
    "XDG_CONFIG_HOME": _NOWHERE,
    "XDG_CACHE_HOME": _NOWHERE,
    "WIRESHARK_CONFIG_DIR": _NOWHERE,
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
_CHUNK: Final = 64 << 10
_ERRORS: Final = 8 << 10  # the last bytes of what a program says on standard error
_CONFINE: Final = str(Path(__file__).with_name("_confine.py"))


class MissingProgram(OSError):
    """An outside program is not installed; the message says how to get it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a program may use. `seconds` is both its CPU time and the time that is spent waiting for it."""

    seconds: float
    memory: int = 2 << 30  # bytes of address space
    drop: bool = True  # started by root, it runs as nobody


def find(name: str) -> str:
    """Give the path of a program; raises MissingProgram with the Debian package to install, which has its name."""
    path = shutil.which(name)
    if path is None:
        msg = f"{name} is not installed: apt-get install {name}"
        raise MissingProgram(msg)
    return str(Path(path).absolute())


def confined(command: Sequence[str], bounds: Bounds) -> list[str]:
    """Give the command with the launcher in front that puts the bounds in force; `command[0]` is a whole path."""
    uid = gid = -1
    if bounds.drop and os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        uid, gid = nobody.pw_uid, nobody.pw_gid
    seconds = max(1, int(bounds.seconds) + 1)
    return [sys.executable, "-I", "-S", _CONFINE, *map(str, (bounds.memory, seconds, uid, gid)), *command]


class Program:
    """One run of a program: bytes in, bytes out. Leaving the `with` kills it and all that it started."""

    def __init__(
        self, command: Sequence[str], bounds: Bounds, feed: BinaryIO | None, file: BinaryIO | None = None
    ) -> None:
        """Start it. Its input is `feed`, any stream, through a pipe; or `file`, which has a descriptor; or nothing."""
        self._bounds, self._feed = bounds, feed
        self._left = bounds.seconds
        self._errors = b""
        self.timed_out = False
        #: what reading `feed` raised; the program saw its input end there
        self.broken: Exception | None = None
        self._process = subprocess.Popen(
            confined(command, bounds),
            stdin=subprocess.PIPE if feed else file or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRON,
            bufsize=0,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream:
                stream.close()

    def output(self) -> Iterator[bytes]:
        """Yield what it writes, until it ends or its time is up; the time of who takes the pieces does not count."""
        writer = _writer(self._process, self._feed, self._broke)
        with selectors.DefaultSelector() as selector:
            for stream in (self._process.stdout, self._process.stderr):
                if stream:
                    selector.register(stream, selectors.EVENT_READ)
            if self._process.stdin:
                os.set_blocking(self._process.stdin.fileno(), False)
                selector.register(self._process.stdin, selectors.EVENT_WRITE)
            while selector.get_map():
                began = time.monotonic()
                ready = selector.select(max(0.0, self._left))
                told: list[bytes] = []
                for key, _ in ready:
                    if self._process.stdin and key.fileobj is self._process.stdin:
                        if not next(writer):
                            selector.unregister(key.fileobj)
                            self._process.stdin.close()
                    elif not (data := os.read(key.fd, _CHUNK)):
                        selector.unregister(key.fileobj)
                    elif key.fileobj is self._process.stdout:
                        told.append(data)
                    else:
                        self._errors = (self._errors + data)[-_ERRORS:]
                self._left -= time.monotonic() - began
                yield from told
                if self._left <= 0:
                    self.timed_out = True
                    self.kill()
                    return
        self._finish()

    def kill(self) -> None:
        """End it and its process group, at once."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def status(self) -> int | None:
        """Give the exit status, negative for a signal; None while it runs."""
        return self._process.poll()

    def errors(self) -> list[str]:
        """List the lines of standard error, as text that can be shown."""
        text = self._errors.decode("utf-8", "backslashreplace")
        lines = ("".join(char if char.isprintable() else " " for char in line).strip() for line in text.splitlines())
        return [line for line in lines if line]

    def trouble(self, noise: Sequence[str] = ()) -> str | None:
        """Say in one line why it did not end well; None when it did. `noise`: lines that it always writes."""
        if self.timed_out or self.status == -signal.SIGXCPU:
            return f"stopped after {self._bounds.seconds:g} s"
        if self.status is None or self.status == 0:
            return None
        said = " ".join(line for line in self.errors() if line not in noise)[:500]
        if self.status < 0:
            limits = f"limits: {self._bounds.memory >> 20:,} MiB, {self._bounds.seconds:g} s"
            return f"ended by {ending(self.status)} ({limits}){': ' if said else ''}{said}"
        return said or f"ended with status {self.status}"

    def _broke(self, error: Exception) -> None:
        self.broken = error

    def _finish(self) -> None:
        """Wait for the end of a program that has closed its output."""
        try:
            self._process.wait(max(0.1, self._left))
        except subprocess.TimeoutExpired:
            self.timed_out = True
            self.kill()


def _writer(
    process: subprocess.Popen[bytes], feed: BinaryIO | None, broke: Callable[[Exception], None]
) -> Iterator[bool]:
    """Write a piece of the feed to the process each time it is asked; False when there is nothing more to write."""
    rest = memoryview(b"")
    while feed and process.stdin:
        if not rest:
            try:
                rest = memoryview(feed.read(_CHUNK))
            except READ_ERRORS as error:
                broke(error)
                break
            if not rest:
                break
        try:
            rest = rest[os.write(process.stdin.fileno(), rest) :]
        except BlockingIOError:  # less room than a pipe promises
            pass
        except BrokenPipeError:  # it wants no more
            break
        yield True
    while True:
        yield False
