"""Follows files that others write: every whole line once, through rotation, truncation, deletion and restarts.

A file is known by its inode and first line, so a rename changes nothing: the old file is read to its end, the new one
from its start. One that is cut short or written anew is read from its start again. What has been compressed is not
read. A last line without a newline is taken only when its file was rotated away and has been quiet for `patience_s`:
never half a line. Collectors that join lines (audit events, pretty-printed JSON) get theirs after two quiet seconds.
"""

from __future__ import annotations

import contextlib
import fnmatch
import glob
import logging
import os
import stat
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from vonggac import shelf
from vonggac.event import Bad, Event
from vonggac.intake._followed import File, inode_of
from vonggac.intake._grows import TURN, ChangedError, Lines, Place, UnreadableError, head_of, whole
from vonggac.intake._siblings import by_inode, copy_in, in_the_making, last_line, place_in_copy
from vonggac.intake.inlet import Closed, Delivery, Inlet
from vonggac.ports import ReadOptions
from vonggac.reading.source import COMPRESSED, display, open_regular

_log = logging.getLogger(__name__)
_MOST: Final = 5_000  # files
_OPEN: Final = 256  # files held open: of these nothing is lost though they are deleted
_COLD: Final = 60.0  # seconds without growth, after which a file is looked at less often
_NAMED: Final = 10_000


class Follow:
    """The intake (`vonggac.intake.inlet.Intake`). `patterns`: files, folders (all below), patterns with `*`.

    `units` maps a pattern to the unit of its files. Without `from_start` a file that is there at the very first start
    is read from its end. `pause_s` lies between two looks.
    """

    name = "follow"

    def __init__(
        self,
        patterns: Sequence[str],
        units: Mapping[str, str],
        options: ReadOptions,
        from_start: bool = True,
        *,
        patience_s: float = 10.0,
        pause_s: float = 0.2,
    ) -> None:
        """Raise ValueError for a unit of a path that is not followed."""
        self._patterns = [os.path.abspath(os.path.expanduser(one)) for one in patterns]  # noqa: PTH100, PTH111  patterns
        self._units = {os.path.abspath(os.path.expanduser(one)): unit for one, unit in units.items()}  # noqa: PTH100, PTH111
        if strange := self._units.keys() - set(self._patterns):
            msg = f"follow.units: {min(strange)}: is none of follow.paths"
            raise ValueError(msg)
        self._from_start, self._patience, self._pause = from_start, patience_s, pause_s
        collectors = {name: shelf.collector(name) for name in shelf.names("collectors")}
        self._lines = Lines(collectors, options)
        self._files: dict[tuple[int, int], File] = {}  # by device and inode
        self._marks: dict[str, bytes] = {}  # as they will stand when all that was handed over is committed
        self._pending: dict[str, bytes] = {}  # marks that go with the next delivery; empty = forget
        self._said: set[tuple[str, str]] = set()
        self._counts: Counter[str] = Counter()
        self._next_list = 0.0
        self._begun = False
        self._places: dict[str, Place] = {}  # by name: of marks that no file was found for yet
        self._past: deque[Place] = deque(maxlen=100)  # of files that were written anew: a copy may turn up
        self._copies: set[tuple[int, int]] = set()  # files that were copies of others when they were seen first
        self._adopted: set[str] = set()  # names of places whose rest is read from a copy

    def open(self) -> None:
        """Files are open only while it runs."""

    def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
        """Follow until `stop`."""
        if not self._begun:  # when it is started again, what was handed over meanwhile is newer
            self._begun = True
            self._marks = {name: mark for name, mark in marks.items() if name.startswith("follow:")}
        self._begin()
        try:
            self._list(inlet, first=True)
            self._find_lost(inlet)
            while not stop.is_set():
                if time.monotonic() >= self._next_list:
                    self._list(inlet, first=False)
                busy = False
                for file in list(self._files.values()):
                    if stop.is_set():
                        return
                    busy = self._look(inlet, file) or busy
                if self._pending:
                    self._put(inlet, "text", [], "follow", {})
                if not busy:
                    stop.wait(self._pause)
        except Closed:
            return
        finally:
            for file in self._files.values():
                file.close()
            self._files.clear()

    def figures(self) -> Mapping[str, float]:
        """Give the files followed, and the records since the start."""
        return {"files": len(self._files), "records_total": self._counts["records"]}

    def close(self) -> None:
        """Files are open only while it runs."""

    # ------------------------------------------------------------ which files

    def _paths(self) -> Iterator[str]:
        for pattern in self._patterns:
            for top in sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]:  # noqa: PTH207
                if not os.path.isdir(top):  # noqa: PTH112
                    yield top
                    continue
                for folder, names, files in os.walk(top):
                    names.sort()
                    yield from (os.path.join(folder, name) for name in sorted(files))  # noqa: PTH118

    def _list(self, inlet: Inlet, *, first: bool) -> None:
        began = time.monotonic()
        labels = {place.path for place in self._places.values()} if first else set()
        listed: set[tuple[int, int]] = set()
        inodes = {place.inode for place in self._places.values()}
        paths = list(self._paths())
        if first:  # those that we know first, then what may be copies of them
            paths.sort(key=lambda path: inode_of(path) not in inodes)
        for path in paths:
            try:
                status = os.stat(path)  # noqa: PTH116
            except OSError as error:
                if not isinstance(error, FileNotFoundError):
                    self._say(inlet, Bad(display(path), "", error.strerror or str(error)))
                continue
            if not stat.S_ISREG(status.st_mode):
                continue
            key = status.st_dev, status.st_ino
            listed.add(key)
            if key in self._files:
                self._files[key].at, self._files[key].listed = path, True
            elif len(self._files) >= _MOST:
                self._say(inlet, Bad(display(path), "", f"not followed: there are {_MOST:,} files already"))
            else:
                self._add(inlet, path, at_end=first and not self._from_start and path not in labels)
        for key, file in self._files.items():
            if key not in listed:
                file.listed = False
        self._next_list = began + max(min(2.0, 10 * self._pause), 10 * (time.monotonic() - began))

    def _add(self, inlet: Inlet, path: str, *, at_end: bool) -> None:
        """Begin with a file, or go on with it where its mark says; one without a first line is no file yet."""
        try:
            with open_regular(path) as stream:
                descriptor = stream.fileno()
                status, head = os.fstat(descriptor), head_of(descriptor)
                if not head or os.pread(descriptor, 6, 0).startswith(COMPRESSED):
                    return
                place = Place(path, status.st_dev, status.st_ino, head)
                copy, grows = None, False
                if place.name not in self._places:
                    copy, grows = self._copied(path, descriptor, status.st_size, head)
                if grows:
                    return
                if place.name in self._places:
                    place = replace(self._places.pop(place.name), device=status.st_dev)
                elif copy is not None:
                    place = copy
                    self._pending[place.name] = place.to_bytes()
                elif at_end and (end := last_line(descriptor, status.st_size)):
                    place = self._lines.passed(descriptor, place, end)
                    self._put(inlet, place.collector or "text", [], display(path), {place.name: place.to_bytes()})
        except OSError as error:
            self._say(inlet, Bad(display(path), "", error.strerror or str(error)))
            return
        except UnreadableError as error:
            self._say(inlet, Bad(display(path), "", f"not followed: {error}"))
            return
        self._files[(status.st_dev, status.st_ino)] = File(place, path, changed=time.monotonic())

    def _begin(self) -> None:
        """Read the marks; one that cannot be read is forgotten."""
        self._places.clear()
        for name, mark in self._marks.items():
            try:
                if name not in self._pending:
                    self._places[name] = Place.from_bytes(mark)
            except ValueError:
                self._pending[name] = b""

    def _copied(self, path: str, descriptor: int, size: int, head: str) -> tuple[Place | None, bool]:
        """Look whether a new file is a copy (copytruncate): give the place in it where our reading goes on.

        True = leave it alone: its original is still followed and holds the same, or everything in it was read.
        """
        status = os.fstat(descriptor)
        key, folder = (status.st_dev, status.st_ino), os.path.dirname(path)  # noqa: PTH120
        for file in self._files.values():
            if file.place.head == head and file.at is not None and os.path.dirname(file.at) == folder:  # noqa: PTH120
                with contextlib.suppress(OSError), open_regular(file.at) as original:
                    length = os.fstat(original.fileno()).st_size
                    if in_the_making(descriptor, min(size, length), original.fileno()):
                        self._copies.add(key)
                        return None, True
        for place in [*self._places.values(), *self._past]:
            if place.head == head and (found := place_in_copy(descriptor, place)) is not None:
                self._adopted.add(place.name)
                return found, False
        return None, key in self._copies and any(place.head == head for place in self._past)

    def _find_lost(self, inlet: Inlet) -> None:
        """Find what was rotated while nobody looked, under its new name; name what is gone."""
        places = list(self._places.items())
        self._places.clear()
        for name, place in places:
            if self._rest_of(place):
                continue
            self._pending[name] = b""
            if name in self._adopted:
                continue
            reason = f"gone while nobody followed it: what was written to it behind byte {place.offset:,} is not read"
            self._say(inlet, Bad(display(place.path), f"offset {place.offset}", reason))

    def _rest_of(self, place: Place) -> bool:
        """Find the rest of a file that has lost its name or its content, and follow that to its end."""
        folder, key = os.path.dirname(place.path), (place.device, place.inode)  # noqa: PTH120
        at = None if key in self._files else by_inode(folder, place.inode)
        if at is not None:
            with contextlib.suppress(OSError), open_regular(at) as stream:
                if head_of(stream.fileno()) == place.head:
                    self._files[key] = File(place, at, changed=time.monotonic(), rotated=True, listed=False)
                    return True
        if (copy := copy_in(folder, place)) is not None:
            self._adopted.add(place.name)
            at, place = copy
            key = place.device, place.inode
            if key not in self._files:
                self._pending[place.name] = place.to_bytes()
                self._files[key] = File(place, at, changed=time.monotonic(), rotated=True, listed=False)
        return False

    # ------------------------------------------------------------ one file

    def _look(self, inlet: Inlet, file: File) -> bool:
        """Look at a file, and take what it has; say whether it may have more at once."""
        now = time.monotonic()
        if now < file.next_look:
            return False
        file.next_look = now + (5 * self._pause if now - file.changed > _COLD else 0.0)
        size = self._size(file)
        if size is None:
            self._let_go(file)
            return False
        if file.useless and size < file.size:  # another content: it is judged anew
            self._let_go(file)
            return False
        if size != file.size:
            file.size, file.changed, file.more = size, now, True
            file.grew.append((now, size))
        quiet = now - file.changed >= self._patience
        if size == file.place.offset or file.useless:
            if file.rotated and not file.listed and quiet:
                self._let_go(file)
            return False
        if not file.more and not (file.rotated and quiet):
            return False
        try:
            return self._take(inlet, file, size, now, ended=file.rotated and quiet)
        except ChangedError:
            self._anew(inlet, file)
            return True
        except UnreadableError as error:
            file.useless = True
            self._say(inlet, Bad(display(file.place.path), "", f"not followed: {error}"))
            return False

    def _size(self, file: File) -> int | None:
        """Give its size, finding it again after a rename; None when nothing is left of it."""
        if file.at is not None:
            try:
                status = os.stat(file.at)  # noqa: PTH116
                same = (status.st_dev, status.st_ino) == (file.place.device, file.place.inode)
            except OSError:
                same = False
            if not same:
                self._next_list = 0.0  # something new has its name, or will
                file.rotated, file.more = True, True
                file.at = by_inode(os.path.dirname(file.at), file.place.inode)  # noqa: PTH120
                return self._size(file) if file.at is not None else self._size_of_deleted(file)
            if file.descriptor is None and status.st_size == file.size and not file.more:
                return status.st_size
        return self._size_of_deleted(file) if self._hold(file) else None

    def _size_of_deleted(self, file: File) -> int | None:
        return None if file.descriptor is None else os.fstat(file.descriptor).st_size

    def _hold(self, file: File) -> bool:
        """Open it, and close the one that has been quiet for longest when too many are open."""
        if file.descriptor is not None:
            return True
        held = [one for one in self._files.values() if one.descriptor is not None and one.at is not None]
        if len(held) >= _OPEN:
            min(held, key=lambda one: one.changed).close()
        with contextlib.suppress(OSError), open_regular(file.at or "") as stream:
            status = os.fstat(stream.fileno())
            if (status.st_dev, status.st_ino) == (file.place.device, file.place.inode):
                file.descriptor = os.dup(stream.fileno())
        return file.descriptor is not None

    def _take(self, inlet: Inlet, file: File, size: int, now: float, *, ended: bool) -> bool:
        """Hand over the next whole lines; say whether there may be more at once."""
        descriptor, place = file.descriptor, file.place
        if descriptor is None:
            return False
        if size < place.offset:
            raise ChangedError
        end = size if ended else last_line(descriptor, size, place.offset)
        most = TURN
        while True:
            stop = whole(descriptor, place.offset, size, most)
            if ended and (stop <= place.offset or stop + most >= size):
                stop = size
            if stop <= place.offset:
                file.more = False
                return False
            turn = self._lines.turn(descriptor, place, stop, size if ended else file.old(now), last=stop == end)
            news = [(records, at) for records, at in turn.batches if records or at != place]
            if news or stop == end:
                break
            most *= 4  # events that are longer than a turn; fewer than a batch of them are held
        for records, at in news:
            file.place = at
            self._put(inlet, at.collector, records, display(at.path), {at.name: at.to_bytes()})
        file.more = turn.waits or stop < end
        return stop < end

    def _anew(self, inlet: Inlet, file: File) -> None:
        """Begin again with a file that was cut short or written anew."""
        place = file.place
        self._files.pop((place.device, place.inode))
        self._past.append(place)
        head = head_of(file.descriptor) if file.descriptor is not None else ""
        fresh = Place(place.path, place.device, place.inode, head)
        if fresh.name != place.name:
            self._pending[place.name] = b""
        else:
            self._put(inlet, place.collector or "text", [], display(place.path), {fresh.name: fresh.to_bytes()})
        if (place.path, "anew") not in self._said and len(self._said) < _NAMED:
            self._said.add((place.path, "anew"))
            _log.warning("%s was cut short or written anew: it is read from its start", display(place.path))
        if head:
            kept = replace(file, place=fresh, size=-1, more=True, useless=False)
            self._files[(place.device, place.inode)] = kept
        else:
            file.close()
            self._next_list = 0.0
        if place.offset:
            held = self._files.setdefault((place.device, place.inode), file)
            self._rest_of(place)
            if held is file:
                del self._files[(place.device, place.inode)]

    def _let_go(self, file: File) -> None:
        file.close()
        self._files.pop((file.place.device, file.place.inode), None)
        self._next_list = 0.0
        if file.place.name in self._marks:
            self._pending[file.place.name] = b""

    # ------------------------------------------------------------ handing over

    def _put(
        self, inlet: Inlet, collector: str, records: list[Event | Bad], source: str, marks: Mapping[str, bytes]
    ) -> None:
        both = {**self._pending, **marks}
        inlet.put(Delivery(collector, records, source, self._unit(source), both))
        self._pending.clear()
        self._counts["records"] += len(records)
        self._marks = {name: mark for name, mark in {**self._marks, **both}.items() if mark}

    def _unit(self, path: str) -> str:
        for pattern, unit in self._units.items():
            if fnmatch.fnmatchcase(path, pattern) or path.startswith(pattern + os.sep):
                return unit
        return ""

    def _say(self, inlet: Inlet, bad: Bad) -> None:
        if (bad.path, bad.reason) not in self._said and len(self._said) < _NAMED:
            self._said.add((bad.path, bad.reason))
            _log.warning("%s", bad)
            self._put(inlet, "text", [bad], bad.path, {})
