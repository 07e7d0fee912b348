"""Events that a scan hands over: written whole into `<data>/inbox/.spool/`, taken from there into the log, deleted."""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import zstandard

from vonggac.event import Bad, Event
from vonggac.intake._away import sync_folders
from vonggac.intake.inlet import Closed, Delivery, Inlet
from vonggac.reading.lines import TooLong, lines
from vonggac.reading.source import READ_ERRORS, Limits, display, plain
from vonggac.reading.walk import reason_of

FOLDER: Final = ".spool"  # in the inbox
_ENDING: Final = ".ndjson.zst"
_UNUSABLE: Final = ".unusable"
_FILE: Final = 20 << 20  # bytes of events in a file
_DELIVERY: Final = 256 << 10  # bytes of events handed over at once
_PAUSE: Final = 0.2  # seconds between two looks
_STALE: Final = 86_400.0  # seconds: what a scan left unfinished so long ago is deleted
_DONE: Final = b"done"
_SET_APART: Final = b"done, damaged"


def write(inbox: Path, events: Iterable[bytes]) -> int:
    """Hand over encoded events, all or none; give their count. Raises OSError."""
    with SpoolWriter(inbox) as writer:
        for event in events:
            writer.add(event + b"\n")
        return writer.finish()


class SpoolWriter:
    """Takes events while a scan goes on; `finish` makes all of them durable and visible, leaving without it none."""

    def __init__(self, inbox: Path) -> None:
        self._folder = inbox / FOLDER
        self._id = secrets.token_hex(8)
        self._parts: list[Path] = []
        self._file: BinaryIO | None = None
        self._packed: zstandard.ZstdCompressionWriter | None = None
        self._size = self._count = 0

    def __enter__(self) -> SpoolWriter:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._end()
        for part in self._parts:
            part.unlink(missing_ok=True)

    def add(self, block: bytes) -> None:
        r"""Take whole lines of JSON, each with its `\n`."""
        if self._packed is None:
            part = self._folder / f".{self._id}-{len(self._parts):06d}.part"
            self._file = part.open("xb")
            self._parts.append(part)
            self._packed = zstandard.ZstdCompressor(level=1).stream_writer(self._file, closefd=False)
        self._packed.write(block)
        self._size += len(block)
        self._count += block.count(b"\n")
        if self._size >= _FILE:
            self._end()

    def finish(self) -> int:
        """Hand everything over; give the count of events."""
        self._end()
        for part in self._parts:
            part.rename(part.with_name(part.name.removeprefix(".").removesuffix(".part") + _ENDING))
        self._parts.clear()
        sync_folders([str(self._folder)])
        return self._count

    def _end(self) -> None:
        packed, file = self._packed, self._file
        self._packed, self._file, self._size = None, None, 0
        if packed is not None and file is not None:
            with file:
                packed.flush(zstandard.FLUSH_FRAME)
                file.flush()
                os.fsync(file.fileno())


class Spool:
    """The intake (`vonggac.intake.inlet.Intake`); `inbox` is `<data>/inbox`.

    A mark holds the offset (decompressed) behind the last event that was committed, or says that only the deletion is
    left. A file that is damaged is read as far as it goes, named, and kept under another name.
    """

    name = "spool"

    def __init__(self, inbox: Path, limits: Limits | None = None) -> None:
        self._folder, self._limits = inbox.absolute() / FOLDER, limits or Limits()
        self._marks: dict[str, bytes] = {}  # as they will stand when all that was handed over is committed
        self._forget: dict[str, bytes] = {}
        self._begun = False
        self._read: set[str] = set()  # names of files that wait for their commit
        self._acknowledged: deque[str] = deque()
        self._counts: Counter[str] = Counter()

    def open(self) -> None:
        """Make the folder; raises OSError when it cannot be used. Deletes what a scan left unfinished long ago."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in self._folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                if part.stat().st_mtime < time.time() - _STALE:
                    part.unlink()

    def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
        """Take file after file until `stop`."""
        if not self._begun:  # when it is started again, what was handed over meanwhile is newer
            self._begun = True
            self._marks = {name: mark for name, mark in marks.items() if name.startswith("spool:")}
        try:
            while not stop.is_set():
                names = sorted(one for one in os.listdir(self._folder) if one.endswith(_ENDING))  # noqa: PTH208
                for mark in self._marks.keys() - self._forget.keys():
                    name = mark.removeprefix("spool:")
                    if name not in names and name not in self._read:
                        self._forget[mark] = b""  # deleted before a crash
                for name in names:
                    if stop.is_set():
                        return
                    if name not in self._read:
                        self._file(inlet, name, stop)
                    self._settle()
                self._settle()
                if self._forget:
                    self._put(inlet, Delivery("scan", [], str(self._folder), bounded=True))
                stop.wait(_PAUSE)
        except Closed:
            return

    def figures(self) -> Mapping[str, float]:
        """Give the files and events taken since the start."""
        return {"files_total": self._counts["files"], "events_total": self._counts["events"]}

    def close(self) -> None:
        """Nothing is open between two turns."""

    def _put(self, inlet: Inlet, delivery: Delivery) -> None:
        marks = {**self._forget, **delivery.marks}
        ready, done, records = delivery.ready, delivery.done, delivery.records
        inlet.put(Delivery("scan", records, delivery.source, marks=marks, done=done, bounded=True, ready=ready))
        self._forget.clear()
        self._marks = {name: mark for name, mark in {**self._marks, **marks}.items() if mark}

    def _file(self, inlet: Inlet, name: str, stop: threading.Event) -> None:
        """Hand over one file; a damaged one is named and set apart, so that it is not read again."""
        mark, path = f"spool:{name}", self._folder / name
        at = self._marks.get(mark, b"0")
        if not at.startswith(_DONE):
            last: list[Event | Bad] = []
            try:
                for ready, bad, end in self._batches(path, int(at)):
                    self._put(inlet, Delivery("scan", bad, str(path), marks={mark: b"%d" % end}, ready=ready))
                    self._counts["events"] += len(ready)
                    if stop.is_set():
                        return
            except READ_ERRORS as error:
                last = [Bad(display(str(path)), "", reason_of(error))]
            marks = {mark: _SET_APART if last else _DONE}
            self._read.add(name)
            done = partial(self._acknowledged.append, name)
            self._put(inlet, Delivery("scan", last, str(path), marks=marks, done=done))
        else:
            self._read.add(name)
            self._acknowledged.append(name)

    def _batches(self, path: Path, start: int) -> Iterator[tuple[list[bytes], list[Bad], int]]:
        """Yield events, what is none, and the offset behind them."""
        source = plain(str(path), self._limits)
        ready: list[bytes] = []
        bad: list[Bad] = []
        size, end = 0, start
        broken: BaseException | None = None
        with source.open() as stream:
            found = lines(stream, start)
            while True:
                try:
                    offset, line = next(found)
                except StopIteration:
                    break
                except READ_ERRORS as error:
                    broken = error
                    break
                length = line.length if isinstance(line, TooLong) else len(line)
                end = offset + length + 1
                size += length
                try:
                    if isinstance(line, TooLong):
                        raise ValueError(line)  # noqa: TRY004, TRY301  its text is the reason
                    Event.from_json(line)
                    ready.append(line)
                except ValueError as error:
                    sample = line.start if isinstance(line, TooLong) else line
                    bad.append(Bad(source.path, f"offset {offset}", str(error)[:300], sample[:4096]))
                if size >= _DELIVERY:
                    yield ready, bad, end
                    ready, bad, size = [], [], 0
        if ready or bad:
            yield ready, bad, end
        if broken is not None:
            raise broken

    def _settle(self) -> None:
        """Delete what is committed, durably, then let its mark be forgotten."""
        gone: list[str] = []
        while self._acknowledged:
            name = self._acknowledged.popleft()
            path = self._folder / name
            with contextlib.suppress(FileNotFoundError):
                if self._marks.get(f"spool:{name}") == _DONE:
                    path.unlink()
                else:
                    path.rename(path.with_name(name + _UNUSABLE))
            gone.append(name)
        if gone:
            sync_folders([str(self._folder)])
            self._counts["files"] += len(gone)
            self._read.difference_update(gone)
            self._forget |= {f"spool:{name}": b"" for name in gone}
