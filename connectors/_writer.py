"""The one writer of a journal: mends its end at the start, then appends one frame a commit."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from connectors._frame import MAX_FRAME, Damaged, Header, Section, encode, pack
from connectors._journal import JUMP, Head, Journal, Owner, State, World, check_name, first_header, hold, sync_folder
from connectors._segment import MAX_DAMAGE, Damage, name_of, next_frame, numbers, walk, whole
from vonggac.logport import Fenced, Full, Out, SyncFailed, TooBig

log: Final = logging.getLogger(__name__)

#: Parts a topic has in a journal: workers share them, 1, 2, 3, 4, 6 or 12 evenly.
SHARDS: Final = 12
MAX_RECORD: Final = 16 << 20
#: Names and values of all marks together.
MAX_MARKS: Final = 4 << 20
#: What `World.step` hears in a commit, in order.
STEPS: Final = ("begin", "packed", "locked", "opened", "half", "written", "synced", "published", "unlocked")
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(slots=True)
class _End:
    """Where the last segment ends, as far as mending got."""

    at: int = 0  # after the last whole frame
    hurt: bool = False  # something below the head is lost; or the head is, and nobody can tell


class Writer:
    """Appends to one journal. Made with the journal's lock held; one thread."""

    def __init__(self, journal: Journal, owner: Owner, world: World, segment_bytes: int, segment_s: float) -> None:
        self.journal = journal
        self.state = State()
        self.damage: deque[Damage] = deque(maxlen=MAX_DAMAGE)
        self.alone = True  # no other journal of the group: a forgotten mark needs no trace
        self.rolled = False  # the last commit began a segment: something may be old enough to go
        self._owner = owner
        self._world = world
        self._segment_bytes, self._segment_us = segment_bytes, int(segment_s * 1e6)
        self._number = self._sequence = self._appended = 0
        self._file = self._size = self._segment = -1  # _file -1: the next commit begins a segment
        self._began = 0
        self._broken = False
        self._lock = os.open(journal.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._head = os.open(journal.folder / "head", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        os.posix_fallocate(self._head, 0, 16 << 10)  # so that a full disk never stops its being written
        self._mend()

    def close(self) -> None:
        """Close the files; may be called twice."""
        for file in (self._file, self._lock, self._head):
            if file >= 0:
                os.close(file)
        self._file = self._lock = self._head = -1

    # ------------------------------------------------------------------ commit

    def append(self, outs: Iterable[Out], change: State, rules: str, room: int) -> None:
        """Write one frame, all or nothing.

        1. Pack the records, a section a Part. 2. Take the lock; an owner of a later epoch fences. 3. Look for room.
        4. Begin a segment, if it is time. 5. Write the frame. 6. fdatasync. 7. Publish the new head. 8. Let go.
        """
        step = self._world.step
        if self._broken:
            msg = f"{self.journal.folder}: an earlier write has failed: end the process"
            raise SyncFailed(msg)
        step("begin")
        sections, data = self._pack(outs)  # 1
        step("packed")
        hold(self._lock, self.journal.folder / "lock", self._world)  # 2
        try:
            if Owner.read(self.journal) != self._owner:
                msg = f"{self.journal.name}: another owner has started"
                raise Fenced(msg)
            step("locked")
            if data and room <= sum(map(len, data)):  # 3; a commit that only frees what was read always has room
                msg = f"{self.journal.folder}: the disk is at its floor"
                raise Full(msg)
            self._write(sections, data, change, rules)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # 8
        step("unlocked")

    def _pack(self, outs: Iterable[Out]) -> tuple[list[Section], list[bytes]]:
        sections, packed = [], []
        for (topic, shard), records in self._deal(outs).items():
            size, data = pack(records)
            first = self.state.ends.get(f"{topic}/{shard}", 0)
            sections.append(Section(topic, shard, first, len(records), size, len(data), zlib.crc32(data)))
            packed.append(data)
        return sections, packed

    def _deal(self, outs: Iterable[Out]) -> dict[tuple[str, int], list[bytes]]:
        """Give each Part its records; those without a key go together, to another Part with each frame."""
        wherever = self._number % SHARDS
        groups: dict[tuple[str, int], list[bytes]] = {}
        total = 0
        topic: str | None = None
        group: list[bytes] = []
        for index, out in enumerate(outs):
            record = out.record
            total += len(record) + 1
            if total > MAX_RECORD:  # a commit so large is rare: only it is looked at closely
                _check_size(index, len(record) + 1, total)
            if b"\n" in record:
                msg = f"record {index}: a record is one line; there is a newline in {record[:80]!r}"
                raise ValueError(msg)
            if out.key is not None or out.topic is not topic:
                check_name(out.topic)
                shard = wherever if out.key is None else zlib.crc32(out.key) % SHARDS
                topic = out.topic if out.key is None else None
                group = groups.setdefault((out.topic, shard), [])
            group.append(record)
        return groups

    def _write(self, sections: list[Section], data: list[bytes], change: State, rules: str) -> None:
        step = self._world.step
        now = int(self._world.clock().timestamp() * 1e6)
        appended = max(self._appended, now)  # a clock set back stands still
        old = self._file, self._segment, self._size, self._began
        full = old[0] < 0 or self._size >= self._segment_bytes or appended - self._began > self._segment_us
        said = change
        if full:
            marks = self.state.marks | change.marks
            kept = {name: mark for name, mark in marks.items() if mark[0] or not self.alone}
            said = State(self.state.positions | change.positions, kept, self.state.ends)
        meta = said.meta(rules, ends=full)
        header = Header(self._number, self._sequence, self._owner.epoch, appended, full, meta, tuple(sections), 0)
        top = encode(self.journal.id, header)
        try:
            if full:  # 4
                self._begin(appended)
            step("opened")
            _write_all(self._file, top, self._size)  # 5
            step("half")
            at = self._size + len(top)
            for one in data:
                _write_all(self._file, one, at)
                at += len(one)
        except OSError as error:
            self._take_back(old, full=full, error=error)
            if error.errno not in _NO_SPACE:
                self._fail(error)
            msg = f"{self.journal.folder}: {error.strerror}"
            raise Full(msg) from error
        step("written")
        try:  # 6
            self._world.sync(self._file)
            if full:
                sync_folder(self.journal.folder, self._world)
        except OSError as error:
            self._fail(error)
        step("synced")
        self._number += 1
        self._sequence += sum(section.count for section in sections)
        self._appended, self._size = appended, at
        for section in sections:
            self.state.ends[f"{section.topic}/{section.shard}"] = section.next
        self.state.positions.update(change.positions)
        self.state.marks = said.marks if full else self.state.marks | change.marks
        self._publish()  # 7
        self.rolled = full
        if full and old[0] >= 0:
            os.close(old[0])
        step("published")

    def _begin(self, appended: int) -> None:
        path = self.journal.folder / name_of(self._number)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._segment, self._size, self._began = self._number, 0, appended

    def _take_back(self, old: tuple[int, int, int, int], *, full: bool, error: OSError) -> None:
        """Leave the journal as it was before a write that failed; what cannot be taken back ends the process."""
        try:
            if not full:
                os.ftruncate(self._file, self._size)
            elif self._file != old[0]:
                os.close(self._file)
                (self.journal.folder / name_of(self._segment)).unlink()
        except OSError:
            self._fail(error)
        self._file, self._segment, self._size, self._began = old

    def _fail(self, error: OSError) -> None:
        self._broken = True
        msg = f"{self.journal.folder}: {error.strerror}: the disk did not take a write: end the process"
        raise SyncFailed(msg) from error

    def _publish(self) -> None:
        said = (self._number, self._sequence, self._owner.epoch, self._appended, self.state.ends)
        try:
            Head(self._segment, self._size, *said).write(self._head)
        except OSError as error:
            self._fail(error)

    # ------------------------------------------------------------------ the start

    def _mend(self) -> None:
        """Read the journal to its end, cut what is torn, and publish what was written but not published.

        Bytes are cut only above the head, where nobody can have read, and only if no whole frame follows; or, when the
        head itself is damaged, at the end of a segment that is not written any more. Everything else that is damaged
        stays, and the next commit begins a new segment.
        """
        head = Head.read(self._head)
        found = numbers(self.journal.folder)
        base = next((n for n in reversed(found) if first_header(self.journal, n)), found[0] if found else 0)
        end = _End()
        for number in found:
            if number < base:
                continue
            self._segment = number
            last = number == found[-1]
            end = self._mend_segment(number, head, last=last)
        if head is not None:
            self._number, self._sequence = max(self._number, head.number), max(self._sequence, head.sequence)
            self._appended = max(self._appended, head.appended)
            for key, at in head.ends.items():
                self.state.ends[key] = max(at, self.state.ends.get(key, 0))
        elif found:
            self._number, self._sequence = self._number + JUMP, self._sequence + JUMP
            self.state.ends = {key: at + JUMP for key, at in self.state.ends.items()}
        if found and not end.hurt and end.at > 0:
            path = self.journal.folder / name_of(self._segment)
            self._file, self._size = os.open(path, os.O_RDWR | os.O_CLOEXEC), end.at
            first = first_header(self.journal, self._segment)
            self._began = first.appended if first else self._appended
        elif found:
            self._size = max(end.at, head.offset if head and head.segment == self._segment else 0)
            self._drop_empty(found[-1])
        else:
            self._segment, self._size = (head.segment, head.offset) if head else (-1, 0)
        self._publish()
        try:
            self._world.sync(self._head)
        except OSError as error:
            self._fail(error)

    def _mend_segment(self, number: int, head: Head | None, *, last: bool) -> _End:
        file = os.open(self.journal.folder / name_of(number), os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(file).st_size
            known = size
            if last and (head is None or number > head.segment):
                known = 0
            elif last and head is not None and number == head.segment:
                known = head.offset
            end = _End()
            for item in walk(file, 0, min(known, size), self.journal.id, self.journal.label(number)):
                if isinstance(item, Damage):
                    self._note(item)
                else:
                    self._take(item[1])
                    end.at = item[0] + item[1].size
            end.hurt = end.at < known or (last and (head is None or number < head.segment))
            if last:
                self._mend_tail(file, number, known, head, end)
            return end
        finally:
            os.close(file)

    def _mend_tail(self, file: int, number: int, known: int, head: Head | None, end: _End) -> None:
        """Take in the frames above the head, each held to its checksums; cut after the last whole one."""
        # after a failed fsync the page cache may show what the disk does not have
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        size = os.fstat(file).st_size
        at = known
        while at < size:
            try:
                header = whole(file, at, size, self.journal.id)
            except Damaged as error:
                after = _next_whole(file, at + 1, size, self.journal.id)
                if after == size:
                    log.warning(
                        "%s: offset %d: %d torn bytes cut: %s", self.journal.label(number), at, size - at, error
                    )
                    os.ftruncate(file, at)
                    break
                self._note(Damage(self.journal.label(number), at, after - at, str(error)))
                at = after
            else:
                self._take(header)
                at += header.size
                end.at = at
        try:
            self._world.sync(file)
        except OSError as error:
            self._fail(error)

    def _take(self, header: Header) -> None:
        try:
            self.state.apply(header)
        except Damaged as error:
            self._note(Damage(self.journal.label(self._segment), 0, 0, f"frame {header.number}: {error}"))
        self._number = max(self._number, header.number + 1)
        self._sequence = max(self._sequence, header.sequence + sum(section.count for section in header.sections))
        self._appended = max(self._appended, header.appended)

    def _note(self, damage: Damage) -> None:
        self.damage.append(damage)
        log.error("%s", damage)

    def _drop_empty(self, number: int) -> None:
        """Remove a segment of which nothing is left: its number is the next frame's."""
        path = self.journal.folder / name_of(number)
        if path.stat().st_size == 0:
            path.unlink()


def _check_size(index: int, size: int, total: int) -> None:
    if size > MAX_RECORD:
        raise TooBig(index, size, MAX_RECORD, alone=True)
    if total > MAX_FRAME:
        raise TooBig(index, total, MAX_FRAME, alone=False)


def _next_whole(file: int, at: int, limit: int, journal: bytes) -> int:
    while (at := next_frame(file, at, limit, journal)) < limit:
        try:
            whole(file, at, limit, journal)
        except Damaged:
            at += 1
        else:
            break
    return at


def _write_all(file: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(file, view, at)
        view, at = view[done:], at + done
