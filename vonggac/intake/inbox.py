"""The inbox: files and folders that people drop are read once, by the collector that claims them, and put away.

What was read lies in `.done/` below it, what could not be read, or not to its end, in `.failed/`: both keep a file
`keep_days`, counted from the move. The first sub-folder is the unit. A file that is written to after it was read, or
while, comes again as a new file. A file that cannot be moved (rights, another file system) stays and is remembered.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

from vonggac import shelf
from vonggac.event import Bad, Event
from vonggac.intake._away import expire, put_away, sync_folders
from vonggac.intake._inboxfile import FILE, OursError, Progress, Reader, Step
from vonggac.intake._look import Found, Resting, look
from vonggac.intake._stays import Stays
from vonggac.intake.inlet import Closed, Delivery, Inlet
from vonggac.ports import ReadOptions
from vonggac.reading.source import Limits, display

_log = logging.getLogger(__name__)
_PAUSE: Final = 0.2  # seconds between two looks at most; but they take a tenth of the time at most
_AT_ONCE: Final = 4  # files that are read in turn
_SMALL: Final = 16 << 20  # bytes: the last of the four places is for files below it
_SLOTS: Final = 256  # files that have a mark: in work, or read and waiting for their commit
_TOGETHER: Final = 64  # files that are put away at once,
_PUT_AWAY: Final = 0.5  # or after so many seconds
_MARK: Final = 32 << 10  # bytes of a collector's mark; one batch more is read where it would be larger
_NAMED: Final = 10_000  # oddities that are named once
_STRIKES: Final = 3  # how often a file that ends the reading for want of room is tried
_HOUR: Final = 3_600.0


@dataclass(slots=True)
class _Job:
    """A file in work. `held`: records whose mark was too large to be committed."""

    found: Found
    slot: str
    at: Progress
    steps: Generator[Step, None, None]
    held: list[Event | Bad] = field(default_factory=list)


class Inbox:
    """The intake (`vonggac.intake.inlet.Intake`).

    `examine`: where the bytes of files that are no log wait for YARA, named in the event's `vonggac.examine`.
    `working` is told the path that is in hand, and "" when nothing is; `skip` holds paths, as told, that ended the
    process: these go to `.failed` unread. A file is read when it has not changed for `rest_s`.
    """

    name = "inbox"

    def __init__(
        self,
        root: Path,
        options: ReadOptions,
        limits: Limits,
        keep_days: float,
        examine: Path,
        *,
        working: Callable[[str], None] = lambda _text: None,
        skip: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.time,
        rest_s: float = 0.5,
    ) -> None:
        collectors = {name: shelf.collector(name) for name in shelf.names("collectors")}
        self._root, self._keep_days, self._examine, self._clock = root.absolute(), keep_days, examine, clock
        self._reader = Reader(options, limits, collectors, examine)
        self._working, self._skip = working, skip
        self._marks: dict[str, bytes] = {}  # as they will stand when all that was handed over is committed
        self._forget: dict[str, bytes] = {}  # marks that go with the next delivery
        self._jobs: list[_Job] = []
        self._read: dict[str, tuple[Found, Progress]] = {}  # by slot: read to the end, not yet put away
        self._acknowledged: deque[str] = deque()  # slots of `_read`, by the thread that commits
        self._rest = rest_s
        self._resting = Resting(rest_s)
        self._ready: deque[Found] = deque()
        self._stays = Stays()
        self._strikes: Counter[str] = Counter()
        self._said: set[tuple[str, str]] = set()
        self._next_look = self._next_expiry = self._next_move = 0.0
        self._begins = 0
        self._ever = False
        self._known: dict[str, tuple[str, Progress]] = {}  # by key: what an earlier run had begun, its slot first
        self._counts: Counter[str] = Counter()

    def open(self) -> None:
        """Make the folders; raises OSError when they cannot be used."""
        for folder in (self._root, self._examine):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(f"{folder}: no right to read and write in it")  # noqa: EM102  the line itself
        for left in self._examine.glob(".*.part"):  # of a copy that a kill cut short
            left.unlink(missing_ok=True)

    def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
        """Look, read, put away, until `stop`."""
        if not self._ever:  # when it is started again, what was handed over meanwhile is newer
            self._ever = True
            self._marks = {name: mark for name, mark in marks.items() if name.startswith("inbox:")}
        self._begin()
        try:
            while not stop.is_set():
                self._look(inlet)
                self._fill(inlet)
                for job in list(self._jobs):
                    self._step(inlet, job)
                self._settle(inlet)
                if not self._busy:
                    stop.wait(min(0.05, self._rest))
        except Closed:
            return
        except OursError as error:
            raise OSError(str(error)) from error
        finally:
            for job in self._jobs:
                job.steps.close()
            self._jobs.clear()
            self._working("")

    def figures(self) -> Mapping[str, float]:
        """Give how many files were read and failed since the start, and how many wait or cannot be moved."""
        waiting = len(self._ready) + len(self._jobs) + len(self._read)
        return {
            "files_total": self._counts["files"],
            "files_failed_total": self._counts["failed"],
            "files_waiting": waiting,
            "files_unmovable": len(self._stays),
        }

    def close(self) -> None:
        """Nothing is open between two turns."""

    # ------------------------------------------------------------ marks

    def _begin(self) -> None:
        self._known.clear()
        self._stays.load(self._marks)
        for name, mark in self._marks.items():
            if Stays.owns(name) or name in self._read:
                continue
            try:
                progress = Progress.from_bytes(mark)
            except ValueError:
                self._forget[name] = b""
                continue
            if progress.done and not os.path.lexists(self._root / progress.inside):
                self._forget[name] = b""  # put away already
            elif name not in self._forget:
                self._known[progress.key] = name, progress

    def _put(self, inlet: Inlet, delivery: Delivery) -> None:
        marks = {**self._forget, **delivery.marks}
        inlet.put(replace(delivery, marks=marks))
        self._forget.clear()
        for name, mark in marks.items():
            if mark:
                self._marks[name] = mark
            else:
                self._marks.pop(name, None)

    def _say(self, inlet: Inlet, bad: Bad) -> None:
        """Name what is odd about the folder, once."""
        if (bad.path, bad.reason) not in self._said and len(self._said) < _NAMED:
            self._said.add((bad.path, bad.reason))
            _log.warning("%s", bad)
            self._put(inlet, Delivery(FILE, [bad], display(str(self._root)), bounded=True))

    # ------------------------------------------------------------ files

    def _look(self, inlet: Inlet) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        found: dict[str, Found] = {}
        for one in look(str(self._root)):
            if isinstance(one, Bad):
                self._say(inlet, one)
            else:
                found[one.path] = one
        self._forget |= self._stays.drop(self._stays.missing(found))
        in_work = {job.found.path for job in self._jobs} | {one.path for one, _ in self._read.values()}
        new = [one for path, one in found.items() if path not in in_work and not self._stays.knows(one)]
        rested = self._resting.rested(new, now)
        self._ready = deque(sorted(rested, key=lambda one: one.size))
        if not new:  # everything that is there was looked at: marks of other files are of no use any more
            self._forget |= dict.fromkeys((name for name, _ in self._known.values()), b"")
            self._known.clear()
            self._forget |= self._stays.drop(self._stays.unseen())
        if now >= self._next_expiry:
            expire(self._root, self._clock() - self._keep_days * 86_400)
            self._try_again()
            self._next_expiry = now + _HOUR
        self._next_look = now + max(min(_PAUSE, self._rest), 10 * (time.monotonic() - now))

    def _try_again(self) -> None:
        """Move away what could not be moved before."""
        moved: dict[str, set[str]] = {}
        for key, found in self._stays.found():
            with contextlib.suppress(OSError):
                moved[key] = put_away(self._root, found.path, found.inside, failed=False)
        sync_folders(set().union(*moved.values()))
        self._forget |= self._stays.drop(moved)

    def _fill(self, inlet: Inlet) -> None:
        """Begin files, small ones first, but each fourth time the largest; into the last place only small ones."""
        while self._ready and len(self._jobs) < _AT_ONCE and not self._stays.full:
            slot = self._free_slot()
            if slot is None:
                return
            large = sum(job.found.size > _SMALL for job in self._jobs)
            self._begins += 1
            if large == _AT_ONCE - 1 and self._ready[0].size > _SMALL:
                return
            last = large < _AT_ONCE - 1 and self._begins % _AT_ONCE == 0
            self._begun(inlet, self._ready.pop() if last else self._ready.popleft(), slot)
        if self._ready and self._stays.full:
            reason = "too many files that cannot be moved away: nothing more is read until they are"
            self._say(inlet, Bad(display(str(self._root)), "", reason))

    @property
    def _busy(self) -> bool:
        """Say whether something can be read at once."""
        return bool(self._jobs) or (bool(self._ready) and len(self._read) < _SLOTS - _AT_ONCE)

    def _free_slot(self) -> str | None:
        taken = {job.slot for job in self._jobs} | self._read.keys() | {name for name, _ in self._known.values()}
        return next((name for name in map("inbox:{}".format, range(_SLOTS)) if name not in taken), None)

    def _begun(self, inlet: Inlet, found: Found, slot: str) -> None:
        """Begin a file, or go on with it, or only put it away, as its mark says."""
        key = found.key()
        if self._stays.takes(key, found):
            return
        slot, at = self._known.pop(key, (slot, Progress(key, found.inside)))
        if not found.same():
            return
        if at.done:
            self._read[slot] = found, at
            self._acknowledged.append(slot)
            return
        job = _Job(found, slot, at, self._reader.steps(found.path, at))
        path, real = display(found.path), os.path.realpath(found.path)
        if not real.startswith(os.path.realpath(self._root) + os.sep):
            self._say(inlet, Bad(path, "", "leads out of the inbox: not read"))
        elif path in self._skip:
            self._failed(inlet, job, "reading it ended the process three times: not read again")
        elif self._strikes[key] >= _STRIKES:
            self._failed(inlet, job, "not read: there was no room for it, three times")
        else:
            self._jobs.append(job)

    def _failed(self, inlet: Inlet, job: _Job, reason: str) -> None:
        job.at = replace(job.at, failed=True)
        self._end(inlet, job, [Bad(display(job.found.path), "", reason)])

    def _step(self, inlet: Inlet, job: _Job) -> None:
        self._working(display(job.found.path))
        try:
            step = next(job.steps, None)
        except OursError:
            self._strikes[job.at.key] += 1
            raise
        self._working("")
        if step is None:
            self._jobs.remove(job)
            self._end(inlet, job, [])
            return
        job.held += step.records
        if step.mark is not None and len(step.mark) > _MARK:
            return
        job.at = replace(
            job.at,
            member=step.member,
            collector=step.collector,
            mark=step.mark,
            failed=job.at.failed or step.failed,
        )
        records, job.held = job.held, []
        marks = {job.slot: job.at.to_bytes()}
        self._put(inlet, Delivery(step.collector, records, step.source, job.found.unit, marks, bounded=True))

    def _end(self, inlet: Inlet, job: _Job, records: list[Event | Bad]) -> None:
        """Note that a file is read, or let go of it when it changed meanwhile: then it comes as a new file."""
        path = display(job.found.path)
        if not job.found.same():
            _log.info("%s changed while it was read: it is read again when it has come to rest", path)
            self._forget[job.slot] = b""
            return
        job.at = replace(job.at, collector="", mark=None, done=True)
        self._counts["files"] += 1
        self._counts["failed"] += job.at.failed
        self._read[job.slot] = job.found, job.at
        done = partial(self._acknowledged.append, job.slot)
        marks = {job.slot: job.at.to_bytes()}
        self._put(inlet, Delivery(FILE, records, path, job.found.unit, marks, done, bounded=True))

    # ------------------------------------------------------------ put away

    def _settle(self, inlet: Inlet) -> None:
        """Put away what is committed, then forget its marks: with the next delivery, or one of their own.

        Many at once while there is more to read, since each time costs two syncs.
        """
        now = time.monotonic()
        if self._busy and len(self._acknowledged) < _TOGETHER and now < self._next_move:
            return
        self._next_move = now + _PUT_AWAY
        changed: set[str] = set()
        forget: dict[str, bytes] = {}
        unmoved: list[Bad] = []
        while self._acknowledged:
            slot = self._acknowledged.popleft()
            found, at = self._read.pop(slot)
            forget[slot] = b""
            if not found.same():
                continue  # someone took it away, or wrote to it: a new file
            try:
                changed |= put_away(self._root, found.path, found.inside, failed=at.failed)
            except OSError as error:
                forget |= self._stays.add(at.key, found)
                reason = f"read, but it cannot be moved away: {error.strerror or error}; it stays"
                unmoved.append(Bad(display(found.path), "", reason, kept=True))
        if changed:
            sync_folders(changed)
        self._forget |= forget
        for bad in unmoved:
            self._say(inlet, bad)
        if self._forget and not self._jobs:
            self._put(inlet, Delivery(FILE, [], display(str(self._root)), bounded=True))
