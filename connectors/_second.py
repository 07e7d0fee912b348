"""The embedded store's second writer: a process that files a part of each large save on a core of its own.

Python and DuckDB share out one core's time within a process: every text that DuckDB is handed needs the interpreter's
lock. Two processes do not. The second decides nothing: what it files has no name until the store gives it one. So
whatever becomes of it (death, no answer, no memory), the store does that part itself.

Records go over by shared memory (memfd), `[sizes][records]` behind msgpack `{runs: [[number, appended µs, count]]}`; on
the pipe to it stand only the lengths of both, on the pipe from it the answer (`_querywire.framed`).
"""

from __future__ import annotations

import logging
import math
import os
import select
import subprocess
import sys
import time
from array import array
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from connectors._catalogue import Piece
from connectors._filing import Filed
from connectors._parquet import micros
from connectors._portion import Run
from connectors._querywire import Message, parsed

_log = logging.getLogger(__name__)


class Second:
    """Starts the process when there is work; it ends when there is none for `idle_s`.

    When it died or did not answer, it is left alone for `rest_s`.
    """

    def __init__(
        self,
        events: Path,
        blobs: Path,
        memory: str,
        *,
        idle_s: float = 60.0,
        patience_s: float = 30.0,
        rest_s: float = 60.0,
    ) -> None:
        self._arguments = (str(events), str(blobs), memory, str(idle_s))
        self._patience_s, self._rest_s = patience_s, rest_s
        self._rests = -math.inf  # until then
        self._process: subprocess.Popen[bytes] | None = None
        self._memory = -1
        self._ready = False
        self._got = bytearray()
        self._said = False

    @property
    def pid(self) -> int | None:
        """Give the process, if one was started; one that was idle too long may be gone already."""
        return self._process.pid if self._process else None

    def ready(self, wait_s: float = 0) -> bool:
        """Say whether it can be given work; starts it when it is not there. It takes half a second to be."""
        try:
            if self._process is not None and self._process.poll() is not None:
                if self._process.returncode:
                    self._lost(f"it ended, status {self._process.returncode}")
                self.close()
            if self._process is None:
                if time.monotonic() < self._rests:
                    return False
                self._start()
            if not self._ready:
                self._ready = self._answer(wait_s) is not None
        except OSError as error:
            self._lost(error)
        return self._ready

    def begin(self, runs: Sequence[Run]) -> bool:
        """Hand over the records of some runs; False: it cannot be now."""
        if not self.ready() or self._process is None or self._process.stdin is None:
            return False
        head = msgspec.msgpack.encode([[run.number, micros(run.appended), len(run.records)] for run in runs])
        sizes = array("Q", (len(record) for run in runs for record in run.records))
        try:
            os.lseek(self._memory, 0, os.SEEK_SET)
            _write(self._memory, chain([head, sizes.tobytes()], *(run.records for run in runs)))
            os.write(self._process.stdin.fileno(), array("Q", [len(head), len(sizes)]).tobytes())
        except OSError as error:
            self._lost(error)
            return False
        return True

    def end(self) -> Filed | None:
        """Give what it made of what it was handed; None: nothing that counts, the store has to do it."""
        try:
            answer = self._answer(self._patience_s)
            if answer is None:
                self._lost(f"no answer in {self._patience_s:g} s")
            elif "error" in answer:
                self._say(answer["error"])
            else:
                return Filed(msgspec.convert(answer["pieces"], list[Piece]), [(n, why) for n, why in answer["bads"]])
        except (OSError, ValueError) as error:
            self._lost(error)
        return None

    def close(self) -> None:
        """End it, whatever it does. May be called twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
            os.close(self._memory)
        self._ready = False
        self._got.clear()

    def _start(self) -> None:
        memory = os.memfd_create("vonggac-store")
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "connectors._writerprocess", *self._arguments, str(memory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},  # no secrets
                pass_fds=(memory,),
                start_new_session=True,  # Ctrl-C is for us
            )
        except BaseException:
            os.close(memory)
            raise
        self._memory = memory

    def _answer(self, wait_s: float) -> Message | None:
        """Wait for a message; None when none came. Raises OSError when it has ended."""
        if self._process is None or self._process.stdout is None:
            return None
        out = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(out, select.POLLIN)
        end = time.monotonic() + wait_s
        while True:
            if len(self._got) >= _HEAD and len(self._got) - _HEAD >= (size := int.from_bytes(self._got[:_HEAD], "big")):
                message = parsed(bytes(self._got[_HEAD : _HEAD + size]))
                del self._got[: _HEAD + size]
                return message
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                return None
            data = os.read(out, _CHUNK)
            if not data:
                msg = f"it ended, status {self._process.wait()}"
                raise OSError(msg)
            self._got += data

    def _lost(self, why: object) -> None:
        idle = self._process is not None and self._process.poll() == 0  # it had gone before it heard of us
        self.close()
        if not idle:
            self._rests = time.monotonic() + self._rest_s
            self._say(why)

    def _say(self, why: object) -> None:
        if not self._said:
            _log.warning("the store's second writer: %s; the store does its part too, slower, and tries again", why)
            self._said = True


def _write(handle: int, parts: chain[bytes]) -> None:
    """Write many pieces of bytes, a thousand at a time as the kernel takes them."""
    some: list[bytes] = []
    for part in parts:
        some.append(part)
        if len(some) == _IOV:
            _whole(handle, some)
            some = []
    _whole(handle, some)


def _whole(handle: int, parts: list[bytes]) -> None:
    size = sum(map(len, parts))
    written = os.writev(handle, parts) if parts else 0
    if written < size:  # more than 2 GiB, a signal, or no room
        rest = memoryview(b"".join(parts))[written:]
        while rest:
            rest = rest[os.write(handle, rest) :]


# -------------------------------------------------------------------- tables

_IOV: Final = 1_024  # IOV_MAX
_HEAD: Final = 4
_CHUNK: Final = 1 << 18
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "LANG", "LC_ALL")
