"""Follows the journal of this machine through `journalctl --follow`, from the cursor of the last committed entry on."""

from __future__ import annotations

import logging
import os
import selectors
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, Any, BinaryIO, Final, cast

import orjson

from vonggac import shelf
from vonggac.event import Bad, Event
from vonggac.intake.inlet import Closed, Delivery, Inlet
from vonggac.ports import ReadOptions
from vonggac.reading.journal import JOURNAL
from vonggac.reading.lines import LINE_LIMIT
from vonggac.reading.programs import ENVIRON
from vonggac.reading.source import of_bytes

_log = logging.getLogger(__name__)
_COLLECTOR: Final = "journald"
_MARK: Final = "journald:"
_READ: Final = 256 << 10  # bytes at once: what is handed over together
_LINGER: Final = 0.1  # seconds that entries wait for more
_BACK_OFF: Final = 60.0  # seconds at most between two starts of the program
_FIRST: Final = "--since=-1d"  # where a machine that was never followed begins
_TRIES: Final = 3  # starts without a single entry before the cursor counts as lost
_COMPLAINTS: Final = 20  # lines of its standard error that are named, a start
_CURSOR: Final = 1_024  # characters


class Journald:
    """The intake (`vonggac.intake.inlet.Intake`). A mark holds the cursor, a blank and the entry's microseconds."""

    name = "journald"

    def __init__(self, unit: str = "", *, back_off_s: float = 1.0) -> None:
        self._unit, self._back_off = unit, back_off_s
        self._collector = shelf.collector(_COLLECTOR)
        self._program = ""
        self._mark = b""
        self._counts: Counter[str] = Counter()

    def open(self) -> None:
        """Find the program; raises OSError when there is none."""
        program = shutil.which("journalctl")
        if program is None:
            raise FileNotFoundError("journald.follow: journalctl is not on the PATH: is this a systemd machine?")  # noqa: EM101  the line itself
        self._program = program

    def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
        """Follow until `stop`; the program is started again, ever later, when it ends."""
        self._mark = self._mark or marks.get(_MARK, b"")
        wait, empty = self._back_off, 0
        try:
            while not stop.is_set():
                child = _Child(self._command(lost=empty >= _TRIES))
                try:
                    some = self._follow(inlet, child, stop)
                finally:
                    status = child.end()
                if stop.is_set():
                    return
                self._counts["restarts"] += 1
                self._tell(inlet, [f"journalctl ended with exit status {status}; it is started again"])
                empty, wait = (0, self._back_off) if some else (empty + 1, min(2 * wait, _BACK_OFF))
                stop.wait(wait)
        except Closed:
            return

    def figures(self) -> Mapping[str, float]:
        """Give the entries since the start, and how often the program was started again."""
        return {"entries_total": self._counts["entries"], "restarts_total": self._counts["restarts"]}

    def close(self) -> None:
        """The program ends with `run`."""

    def _command(self, *, lost: bool) -> list[str]:
        cursor, _, micro = self._mark.decode("ascii", "replace").partition(" ")
        where = _FIRST
        if cursor and not (lost and micro.isdecimal()):
            where = f"--after-cursor={cursor}"
        elif cursor:  # the journal has lost the entry: its time is what is left; some may come twice, none is missing
            where = f"--since=@{int(micro) // 1_000_000}"
        return [self._program, "--quiet", "--no-pager", "--follow", "--no-tail", "--output=json", where]

    def _follow(self, inlet: Inlet, child: _Child, stop: threading.Event) -> bool:
        """Hand over what the program says until it ends; say whether it said anything."""
        some = False
        while not stop.is_set():
            lines, complaints, running = child.read()
            if lines:
                some = True
                self._hand(inlet, lines)
            self._tell(inlet, complaints)
            if not running:
                break
        return some

    def _hand(self, inlet: Inlet, lines: bytes) -> None:
        source = of_bytes(lines, JOURNAL, datetime.now(UTC))
        batches = self._collector.open(source, ReadOptions()).read(None)
        records = [record for batch, _ in batches for record in batch]
        for record in records:
            if isinstance(record, Event):
                record.doc.get("log", {}).pop("offset", None)  # in a stream that nobody can look into again
        self._counts["entries"] += len(records)
        self._mark = _last(lines) or self._mark
        inlet.put(Delivery(_COLLECTOR, records, JOURNAL, self._unit, {_MARK: self._mark} if self._mark else {}))

    def _tell(self, inlet: Inlet, complaints: Sequence[str]) -> None:
        if complaints:
            for line in complaints:
                _log.warning("journald: %s", line)
            bad: list[Event | Bad] = [Bad(JOURNAL, "", line) for line in complaints]
            inlet.put(Delivery(_COLLECTOR, bad, JOURNAL, self._unit))


def _last(lines: bytes) -> bytes:
    """Give the mark of the last entry that has a cursor; empty when none has."""
    for line in reversed(lines.splitlines()):
        try:
            entry: Any = orjson.loads(line)
        except ValueError:
            continue
        cursor = entry.get("__CURSOR") if isinstance(entry, dict) else None
        if isinstance(cursor, str) and cursor.isascii() and 0 < len(cursor) <= _CURSOR and " " not in cursor:
            micro = entry.get("__REALTIME_TIMESTAMP")
            known = isinstance(micro, str) and micro.isascii() and micro.isdecimal() and len(micro) <= 18
            return f"{cursor} {micro if known else ''}".encode()
    return b""


class _Child:
    """The program, read without waiting longer than entries may wait; raises OSError when it cannot be started."""

    def __init__(self, command: list[str]) -> None:
        self._child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            bufsize=0,
            env=ENVIRON | {"PATH": os.environ.get("PATH", os.defpath)},  # none of our settings, a token among them
        )
        self._selector = selectors.DefaultSelector()
        self._rest = {"out": b"", "err": b""}
        self._dropping = False  # a line above the limit: what comes up to its end is let go
        self._open = 2
        self._complaints = _COMPLAINTS  # lines of standard error that may still be named
        for name, pipe in (("out", self._child.stdout), ("err", self._child.stderr)):
            descriptor = cast(IO[bytes], pipe).fileno()
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ, name)

    def read(self) -> tuple[bytes, list[str], bool]:
        """Give whole lines, what is to be named, and whether more may come; waits up to 0.2 s.

        Each entry above the limit is named, of standard error the first lines only.
        """
        complaints: list[str] = []
        parts: list[bytes] = []
        size = 0
        end = time.monotonic() + 2 * _LINGER
        while self._open and size < _READ and (left := end - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                data = os.read(key.fd, _READ)
                if not data:
                    self._selector.unregister(key.fd)
                    self._open -= 1
                    data = b"\n" if self._rest[key.data] else b""
                if key.data == "err":
                    *whole, rest = (self._rest["err"] + data).split(b"\n")
                    self._rest["err"] = rest[:4096]
                    said = [line.decode(errors="replace")[:300] for line in whole if line.strip()]
                    complaints += said[: self._complaints]
                    self._complaints -= min(len(said), self._complaints)
                elif whole_lines := self._lines(data, complaints):
                    end = min(end, time.monotonic() + _LINGER)
                    parts.append(whole_lines)
                    size += len(whole_lines)
        return b"".join(parts), complaints, self._open > 0

    def _lines(self, data: bytes, complaints: list[str]) -> bytes:
        cut = data.rfind(b"\n") + 1
        if not cut:
            if not self._dropping:
                self._rest["out"] += data
                if len(self._rest["out"]) > LINE_LIMIT:
                    self._rest["out"], self._dropping = b"", True
                    complaints.append(f"an entry above the limit of {LINE_LIMIT:,} bytes: not read")
            return b""
        whole = self._rest["out"] + data[:cut]
        if self._dropping:
            whole, self._dropping = whole[whole.index(b"\n") + 1 :], False
        self._rest["out"] = data[cut:]
        return whole

    def end(self) -> int:
        """End it, wait for it, give its exit status (negative: the signal)."""
        self._child.terminate()
        self._selector.close()
        for pipe in (self._child.stdout, self._child.stderr):
            cast(BinaryIO, pipe).close()
        try:
            return self._child.wait(1)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()
