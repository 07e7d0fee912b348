"""A tshark that runs on: frames of a live capture in through a pipe, rows out; started again when it dies or hangs.

A capture file that never ends is written to it, so the rows are those that the same packets give in a file. It has no
rights: the socket is not its own.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import struct
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from vonggac.event import Bad
from vonggac.reading.afpacket import ETHERNET, Frame
from vonggac.reading.endings import ending
from vonggac.reading.packets import Packet
from vonggac.reading.programs import ENVIRON, Bounds, confined
from vonggac.reading.shortcut import Shortcut
from vonggac.reading.tshark import Rows, noise, rows_command

_CHUNK: Final = 256 << 10
_WAITING: Final = 4 << 20  # bytes that tshark may be behind
#: bytes of memory at which it is replaced: it loses some 8 MB each time it forgets its streams (`-M`)
_HEAVY: Final = 320 << 20
_WEIGH_S: Final = 5.0
_FLIGHT: Final = 30_000  # packets, too
_SAID: Final = 8 << 10
_HANGS_S: Final = 20.0  # without a row while packets wait for theirs
_AGAIN_S: Final = 1.0  # after a death
_FOR_EVER: Final = 1 << 30  # seconds of CPU time
_FILE: Final = (0xA1B23C4D, 2, 4, 0, 0, 1 << 18)  # a pcap file with times in ns; the link type follows


class Dissector:
    """Give it frames, and call `turn` as often as you can: it writes, reads and never blocks longer than told.

    The packet at which tshark dies is left out, told as a Bad and counted in `lost`; those behind it are given again.
    """

    def __init__(self, path: str, link: int, hangs_s: float = _HANGS_S, heavy: int = _HEAVY) -> None:
        """Start it; `path` stands in what is said of bad packets. Raises MissingProgram."""
        self._path, self._link, self._hangs_s = path, link, hangs_s
        self._heavy, self._weighed, self._leaves = heavy, 0.0, False
        self._command = [*rows_command(), "-l", "-r", "-"]  # -l: each row at once
        self._noise = noise()
        #: what is not told yet, in order: records of the file that have no row, and packets that need none
        self._flight: deque[bytes | Packet] = deque()
        self._told = 0  # the number of the packet that left the flight last
        self._ready: list[Packet | Bad] = []
        self._record = b""  # whose row is at hand
        self._shortcut = Shortcut() if link == ETHERNET else None
        self._out = bytearray()  # what is not yet written
        self._said = b""
        self.lost = self.restarts = 0
        self._rows = Rows(path, self._numbers())
        self._process: subprocess.Popen[bytes] | None = None
        self._again = self._heard = 0.0
        self._start()

    @property
    def full(self) -> bool:
        """Say whether enough waits for tshark: give no more until it caught up."""
        return self._leaves or len(self._out) >= _WAITING or len(self._flight) >= _FLIGHT

    @property
    def idle(self) -> bool:
        """Say whether each packet is told."""
        return not self._flight and not self._ready

    def give(self, frames: Iterable[Frame]) -> None:
        """Take frames to be dissected, in order."""
        pack, out, flight, shortcut = _RECORD.pack, self._out, self._flight, self._shortcut
        number = self._told + len(flight)
        if not flight:
            self._heard = time.monotonic()
        for frame in frames:
            number += 1
            if shortcut and (packet := shortcut.take(number, frame)):
                flight.append(packet)
                continue
            seconds, nanoseconds, size, data = frame
            record = pack(seconds, nanoseconds, len(data), size) + data
            flight.append(record)
            out += record
        self._advance()

    def turn(self, wait_s: float, watch: int = -1) -> tuple[list[Packet | Bad], bool]:
        """Wait until something can be done; give the packets that are ready and whether `watch` can be read."""
        process, found, self._ready = self._process, self._ready, []
        if process is None:
            time.sleep(max(0.0, min(wait_s, self._again - time.monotonic())))
            if time.monotonic() >= self._again:
                self._start()
            return found, False
        if time.monotonic() - self._weighed > _WEIGH_S:
            self._weigh(process)
        if self._leaves and not self._flight:
            self.close()
            self._start()
            return found, False
        poll = select.poll()
        if watch >= 0:
            poll.register(watch, select.POLLIN)
        ends = [stream.fileno() if stream else -1 for stream in (process.stdin, process.stdout, process.stderr)]
        if self._out:
            poll.register(ends[0], select.POLLOUT)
        poll.register(ends[1], select.POLLIN)
        poll.register(ends[2], select.POLLIN)
        ready = dict(poll.poll(0 if found else wait_s * 1000))
        dead = False
        if ends[0] in ready:
            self._write(ends[0])
        if ends[2] in ready:
            self._said = (self._said + os.read(ends[2], _SAID))[-_SAID:]
        if ends[1] in ready:
            data = os.read(ends[1], _CHUNK)
            dead = not data
            for row in self._rows.feed(data):
                self._ready.append(row)
                if self._shortcut and isinstance(row, Packet):
                    self._shortcut.learn(row, self._record[_RECORD.size :])
            self._advance()
            found, self._ready = found + self._ready, []
            self._heard = time.monotonic()
        if dead:
            found += self._died("")
        elif self._flight and time.monotonic() - self._heard > self._hangs_s:
            found += self._died(f"gave nothing for {self._hangs_s:g} s")
        return found, watch in ready

    def rest(self) -> None:
        """Say that no time was given to it for a while: it did not hang."""
        self._heard = time.monotonic()

    def give_up(self) -> None:
        """Wait for no more rows: what has none is lost."""
        self.lost += sum(isinstance(one, bytes) for one in self._flight)
        self._ready += [one for one in self._flight if isinstance(one, Packet)]
        self._told += len(self._flight)
        self._flight.clear()

    def close(self) -> None:
        """End it; may be called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def _start(self) -> None:
        process = subprocess.Popen(
            confined(self._command, Bounds(_FOR_EVER)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRON,
            bufsize=0,
            start_new_session=True,
        )
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
        self._process, self._said, self._leaves = process, b"", False
        self._rows = Rows(self._path, self._numbers())
        self._out = bytearray(_HEAD.pack(*_FILE, self._link))
        for record in self._flight:
            if isinstance(record, bytes):
                self._out += record
        self._heard = time.monotonic()

    def _weigh(self, process: subprocess.Popen[bytes]) -> None:
        """Look how much memory it holds: a heavy one gets nothing more, and goes when all its rows came."""
        self._weighed = time.monotonic()
        with contextlib.suppress(OSError, IndexError):  # it just died
            pages = int(Path(f"/proc/{process.pid}/statm").read_text("ascii").split()[1])
            self._leaves = pages * os.sysconf("SC_PAGE_SIZE") > self._heavy

    def _write(self, descriptor: int) -> None:
        try:
            with memoryview(self._out) as view:
                written = os.write(descriptor, view[:_CHUNK])
        except BlockingIOError:  # less room than a pipe promises
            return
        except BrokenPipeError:  # it died: its output ends too
            written = len(self._out)
        del self._out[:written]

    def _advance(self) -> None:
        """Let go of the packets that wait for no row."""
        flight = self._flight
        while flight and isinstance(flight[0], Packet):
            self._ready.append(flight[0])
            flight.popleft()
            self._told += 1

    def _numbers(self) -> Iterator[int]:
        """Give the numbers of the packets that tshark has, each when its row comes."""
        while True:
            self._advance()
            if not self._flight:  # more rows than packets: a tshark that lies
                yield self._told
                continue
            record = self._flight.popleft()
            self._record = record if isinstance(record, bytes) else b""
            self._told += 1
            yield self._told

    def _died(self, why: str) -> list[Packet | Bad]:
        """Clear away what is left of it; the packet that had its turn is lost."""
        process = self._process
        said = self._said.decode("utf-8", "backslashreplace").splitlines()
        self.close()
        status = process.returncode if process else 0
        why = why or f"ended ({ending(status)})"
        text = " ".join(line for line in said if line not in self._noise and line.isprintable())[:500]
        left_out = bool(self._flight)
        number = next(self._numbers())
        self.lost += left_out
        self.restarts += 1
        self._again = time.monotonic() + _AGAIN_S
        reason = (
            f"tshark {why}{': ' if text else ''}{text}; {'this packet is left out' if left_out else 'started again'}"
        )
        sample = self._record[16 : 16 + 4096] if left_out else b""
        self._ready.append(Bad(self._path, f"packet {number}", reason, sample))
        self._advance()
        found, self._ready = self._ready, []
        return found


_RECORD: Final = struct.Struct("=IIII")
_HEAD: Final = struct.Struct("=IHHiIII")
