"""The files of a journal beside its segments: who it is, who owns it, how far it is durable; and what its frames say.

journal.json   format, id, group, worker: written once
owner          epoch, workers, topics, process: replaced at each start
lock           flock, held within a commit and a start
head           <u32 crc> <u32 length> JSON: the durable end, written in place after fdatasync; readers never pass it
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import time
import uuid
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from connectors._frame import Damaged, Header, NewerFormat
from connectors._segment import Damage, header_at, name_of, numbers, walk
from vonggac.logport import Part

log: Final = logging.getLogger(__name__)

FORMAT: Final = 1
#: Added to every offset when nobody can know how many records were lost, so that no offset is given twice.
JUMP: Final = 1 << 32
LOCK_S: Final = 10.0
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")


def _disk(path: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(path)
    return usage.total, usage.free


@dataclass(frozen=True, slots=True)
class World:
    """What the log asks of the machine; tests give their own."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    sync: Callable[[int], None] = os.fdatasync  # of an open file or folder
    disk: Callable[[Path], tuple[int, int]] = _disk  # total, free for us; bytes
    sleep: Callable[[float], None] = time.sleep
    step: Callable[[str], None] = lambda _: None  # called between the steps of a commit (`STEPS`)


@dataclass(frozen=True, slots=True)
class Journal:
    """One writer's folder of segments."""

    folder: Path
    group: str
    worker: int
    id: bytes  # 16, random

    @property
    def name(self) -> str:
        """The folder's name: `detect-0`."""
        return self.folder.name

    def part(self, topic: str, shard: int) -> Part:
        """Name a Part of this journal; a journal made anew under the same name has other Parts."""
        return Part(f"{topic}/{self.name}.{self.id[:8].hex()}/{shard}")

    def open(self, number: int) -> int:
        """Open a segment for reading; raises FileNotFoundError when retention has taken it."""
        return os.open(self.folder / name_of(number), os.O_RDONLY | os.O_CLOEXEC)

    def label(self, number: int) -> str:
        """Name a segment for people."""
        return f"{self.name}/{name_of(number)}"


def journals(root: Path, known: Collection[str] = ()) -> list[Journal]:
    """List the journals of a log, by name, but for those already known."""
    found = []
    for name in sorted(os.listdir(root)):  # noqa: PTH208 -- names alone, at every poll
        if name not in known and (file := root / name / "journal.json").exists():
            folder = root / name
            said = orjson.loads(file.read_bytes())
            if said["format"] > FORMAT:
                msg = f"{file}: format {said['format']} of the event log; this program reads up to {FORMAT}"
                raise NewerFormat(msg)
            found.append(Journal(folder, said["group"], said["worker"], bytes.fromhex(said["id"])))
    return found


def create(root: Path, group: str, worker: int, world: World) -> Journal:
    """Make a journal's folder; it exists when `journal.json` stands in it."""
    made = Journal(root / f"{group}-{worker}", group, worker, uuid.uuid4().bytes)
    made.folder.mkdir(exist_ok=True, mode=0o750)
    said = {"format": FORMAT, "id": made.id.hex(), "group": group, "worker": worker}
    replace(made.folder / "journal.json", orjson.dumps(said), world)
    sync_folder(root, world)
    return made


@dataclass(frozen=True, slots=True)
class Owner:
    """Who may write into a journal."""

    epoch: int
    workers: int
    topics: tuple[str, ...]

    def write(self, journal: Journal, world: World) -> None:
        """Become the owner; the journal's lock is held."""
        said = {"epoch": self.epoch, "workers": self.workers, "topics": self.topics, "process": os.getpid()}
        replace(journal.folder / "owner", orjson.dumps(said), world)

    @classmethod
    def read(cls, journal: Journal) -> Owner | None:
        """Give the owner; None when nobody was, or the file is damaged."""
        try:
            said = orjson.loads((journal.folder / "owner").read_bytes())
            return cls(int(said["epoch"]), int(said["workers"]), tuple(said["topics"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Head:
    """The durable end of a journal."""

    segment: int
    offset: int
    number: int  # the next frame's
    sequence: int  # the next record's, over all Parts
    epoch: int
    appended: int
    ends: dict[str, int]  # "topic/shard" -> the next record's offset

    def write(self, file: int) -> None:
        """Overwrite the head in place, in one call."""
        said = (self.segment, self.offset, self.number, self.sequence, self.epoch, self.appended, self.ends)
        data = orjson.dumps(said)
        os.pwrite(file, zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little") + data, 0)

    @classmethod
    def read(cls, file: int) -> Head | None:
        """Give the head; None when it is damaged. Read again when a write was under way."""
        for _ in range(4):
            data = os.pread(file, 64 << 10, 0)
            text = data[8 : 8 + int.from_bytes(data[4:8], "little")]
            if text and zlib.crc32(text) == int.from_bytes(data[:4], "little"):
                return cls(*orjson.loads(text))
            time.sleep(0.001)
        return None


def head_of(journal: Journal) -> Head | None:
    """Read a journal's head from its file."""
    try:
        file = os.open(journal.folder / "head", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        return Head.read(file)
    finally:
        os.close(file)


@dataclass(slots=True)
class State:
    """What the frames of a journal add up to. Positions and marks stand with the epoch that wrote them."""

    positions: dict[str, tuple[int, int]] = field(default_factory=dict)
    marks: dict[str, tuple[str, int]] = field(default_factory=dict)  # bytes as Latin-1; "" = forgotten
    ends: dict[str, int] = field(default_factory=dict)

    def meta(self, rules: str, *, ends: bool) -> bytes:
        """Write a frame's meta: what changed, or with `ends` everything."""
        said: dict[str, Any] = {"positions": self.positions, "marks": self.marks, "rules": rules}
        if ends:
            said["ends"] = self.ends
        return orjson.dumps(said)

    def apply(self, header: Header) -> None:
        """Take a frame in; raises Damaged when its meta is not ours."""
        said = meta_of(header)
        if header.full:
            self.positions, self.marks, self.ends = {}, {}, dict(said["ends"])
        self.positions.update({part: (at[0], at[1]) for part, at in said["positions"].items()})
        self.marks.update({name: (mark[0], mark[1]) for name, mark in said["marks"].items()})
        for section in header.sections:
            self.ends[f"{section.topic}/{section.shard}"] = section.next


def meta_of(header: Header) -> dict[str, Any]:
    """Read a frame's meta; raises Damaged."""
    try:
        said: dict[str, Any] = orjson.loads(header.meta)
        _ = said["positions"], said["marks"], header.full and said["ends"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        msg = f"the frame's positions do not read: {error}"
        raise Damaged(msg) from error
    return said


def first_header(journal: Journal, segment: int) -> Header | None:
    """Read a segment's first frame, which repeats everything; None when it is damaged or the file is gone."""
    try:
        file = journal.open(segment)
    except FileNotFoundError:
        return None
    try:
        header = header_at(file, 0, os.fstat(file).st_size, journal.id)
        meta_of(header)
    except Damaged:
        return None
    finally:
        os.close(file)
    return header if header.full else None


class Follower:
    """Keeps the State of a journal up to its head, for groups, lag and retention; reads only headers."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.state = State()
        self.head: Head | None = None
        self._segment = -1
        self._at = 0

    def refresh(self) -> None:
        """Take in what was committed since."""
        if (head := head_of(self.journal)) is None:
            return
        self.head = head
        found = [number for number in numbers(self.journal.folder) if number <= head.segment]
        if self._segment < 0:
            whole = (number for number in reversed(found) if first_header(self.journal, number))
            self._segment = next(whole, found[0] if found else -1)
        for number in found:
            if number < self._segment:
                continue
            start = self._at if number == self._segment else 0
            for item in self._walk(number, start, head):
                if not isinstance(item, Damage):
                    with suppress(Damaged):  # the writer and the readers name it
                        self.state.apply(item[1])
            self._segment = number
        self.state.ends.update(head.ends)

    def _walk(self, number: int, start: int, head: Head) -> Iterator[tuple[int, Header] | Damage]:
        try:
            file = self.journal.open(number)
        except FileNotFoundError:
            return
        try:
            size = os.fstat(file).st_size
            limit = min(size, head.offset) if number == head.segment else size
            yield from walk(file, start, limit, self.journal.id, self.journal.label(number))
            self._at = max(start, limit)
        finally:
            os.close(file)


def check_name(name: str) -> None:
    """Refuse a topic or a group that could not be a folder's name; raises ValueError."""
    if not _NAME.fullmatch(name):
        msg = f"{name!r}: a name is a lower-case letter, then at most 31 letters, digits, - and _"
        raise ValueError(msg)


@contextmanager
def locked(path: Path, world: World) -> Iterator[None]:
    """Hold a lock file; raises TimeoutError when somebody keeps it for LOCK_S."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        hold(file, path, world)
        yield
    finally:
        os.close(file)


def hold(file: int, path: Path, world: World) -> None:
    """Take the lock of an open file; raises TimeoutError when somebody keeps it for LOCK_S."""
    for _ in range(int(LOCK_S / 0.01)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            world.sleep(0.01)
        else:
            return
    msg = f"{path}: another process has held the lock for {LOCK_S:.0f} s"
    raise TimeoutError(msg)


def replace(path: Path, data: bytes, world: World) -> None:
    """Put a small file in place of another, whole or not at all, durable."""
    spare = path.with_name(path.name + ".new")
    file = os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        os.write(file, data)
        world.sync(file)
    finally:
        os.close(file)
    spare.replace(path)
    sync_folder(path.parent, world)


def sync_folder(folder: Path, world: World) -> None:
    """Make names durable."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        world.sync(file)
    finally:
        os.close(file)
