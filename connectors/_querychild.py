"""A query process as who asks it sees it: pipes, time limits, and what its death means."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count
from typing import Final

from connectors._querywire import Message, framed, parsed
from vonggac.reading.endings import ending
from vonggac.storeport import Failed, Stop, Stopped, TooMuch, TooSlow

POLL_S: Final = 0.05


class Left(Exception):
    """The child ended of itself."""


class Crashed(Failed):
    """The child died of itself."""


class Child:
    """A query process and the pipes to it; one question at a time."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "connectors._queryworker", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},  # no secrets
            start_new_session=True,  # Ctrl-C is for us; we tell it to stop
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._numbers = count()
        self._number = 0
        self._sending, self._got = bytearray(), bytearray()
        self._heard = False  # anything of the answer
        self._told: float | None = None  # when it was told to stop
        self.pid = self._process.pid

    def ask(self, question: Message, limit_s: float, stop: Stop) -> Message:
        """Send the question and wait for the answer, or for its first portion."""
        self._number = next(self._numbers)
        self._sending += framed({**question, "n": self._number, "limit_s": limit_s})
        self._heard, self._told = False, None
        return self.hear(limit_s, stop)

    def hear(self, limit_s: float, stop: Stop) -> Message:
        """Wait for a message; what does not obey within 2 s is to be ended by who asked.

        While nobody hears, the pipe fills and the child waits: at most one portion is held here.
        """
        end = time.monotonic() + limit_s + _OBEY_S
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        poll.register(self._in, select.POLLOUT)
        while (message := self._message()) is None:
            now = time.monotonic()
            if self._told is None and stop.is_set():
                self._sending += framed({"do": "stop", "n": self._number})
                self._told = now
            if self._told is not None and now > self._told + _OBEY_S:
                raise Stopped
            if now > end:
                raise TooSlow
            poll.modify(self._in, select.POLLOUT if self._sending else 0)
            ready = dict(poll.poll(POLL_S * 1000))
            if self._out in ready and not self._receive():
                self._raise_end()
            if self._sending and self._in in ready:
                try:
                    del self._sending[: os.write(self._in, self._sending)]
                except BrokenPipeError:
                    self._sending.clear()  # its end is told by the other pipe
        return message

    def _message(self) -> Message | None:
        got = self._got
        if len(got) < 4 or len(got) - 4 < (size := int.from_bytes(got[:4], "big")):
            return None
        body = bytes(memoryview(got)[4 : 4 + size])
        del got[: 4 + size]
        return parsed(body)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _receive(self) -> bool:
        """Take what is there; False at the end."""
        try:
            data = os.read(self._out, _CHUNK)
        except BlockingIOError:
            return True
        self._got += data
        self._heard = self._heard or bool(data)
        return bool(data)

    def _raise_end(self) -> None:
        try:
            code = self._process.wait(_OBEY_S)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        if code == 0 and not self._heard:
            raise Left
        if code in (-signal.SIGKILL, -signal.SIGABRT):  # the kernel's when memory ends, and the engine's own
            msg = "the query process was ended for want of memory"
            raise TooMuch(msg)
        if code == -signal.SIGXCPU:
            raise TooSlow
        msg = f"the query process died ({ending(code)}); the next question gets a new one"
        raise Crashed(msg)


# -------------------------------------------------------------------- tables

_OBEY_S: Final = 2.0
_CHUNK: Final = 1 << 20
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "LANG", "LC_ALL")
