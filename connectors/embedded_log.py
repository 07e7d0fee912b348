"""The embedded event log: durable, on disk, no server. Topics are unions of journals; see `_frame.py` for the bytes.

    <root>/lock           held while an owner starts
    <root>/detect-0/      one journal a worker of a group (`_journal.py`), segments `00000000000000000017.vglog.zst`

A commit is one frame in the journal of its task; a group's positions are what its journals' frames add up to.
There are no offset files. `zstd -dc` of a segment prints the records.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from connectors._journal import Follower, Journal, Owner, State, World, check_name, create, head_of, journals, locked
from connectors._lag import lag_of
from connectors._lookover import LookOver, look_over
from connectors._reader import Reader
from connectors._retain import Keep, committed, sweep
from connectors._segment import Damage
from connectors._writer import MAX_MARKS, MAX_RECORD, STEPS, Writer
from vonggac.logport import Batch, Gap, Lag, Out, Part, Positions

__all__ = ["MAX_MARKS", "MAX_RECORD", "STEPS", "Damage", "EmbeddedLog", "EmbeddedTask", "Floors", "Keep", "World"]

log: Final = logging.getLogger(__name__)

_PAUSE_S: Final = (0.002, 0.05)  # between looks for something new: it begins short
_MAX_MARK: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Floors:
    """How much of the disk stays free."""

    share: float = 0.05  # collectors wait below this share of the disk
    least: int = 2 << 30  # or below this, bytes: whichever is more
    reserve: int = 256 << 20  # nobody but the desk writes below this; what only frees what was read may


class EmbeddedLog:
    """An EventLog in a folder. `required`: for each topic the groups that retention waits for."""

    def __init__(
        self,
        root: Path,
        *,
        required: Mapping[str, Collection[str]] | None = None,
        keep: Keep | None = None,
        floors: Floors | None = None,
        world: World | None = None,
    ) -> None:
        self.root = root
        self.keep = keep or Keep()
        self.world = world or World()
        self.required = required or {}
        self._floors = floors or Floors()
        self._followers: dict[bytes, Follower] = {}
        root.mkdir(parents=True, exist_ok=True, mode=0o750)

    def join(self, group: str, topics: Sequence[str], worker: int, workers: int, *, rules: str = "") -> EmbeddedTask:
        """Name a piece of work (`EventLog.join`)."""
        for name in (group, *topics):
            check_name(name)
        if not 0 <= worker < workers:
            msg = f"worker {worker} of {workers}: the first is 0"
            raise ValueError(msg)
        return EmbeddedTask(self, group, tuple(topics), worker, workers, rules)

    def tail(self, topics: Sequence[str], since: datetime | None, wait_s: float | None = None) -> Iterator[Batch]:
        """Read along without a group (`EventLog.tail`); "now" is the moment of the call."""
        at = None if since is None else int(since.timestamp() * 1e6)
        start: dict[Part, int] = {}
        if since is None:
            for follower in self.followers():
                for key, end in follower.state.ends.items():
                    topic, _, shard = key.partition("/")
                    start[follower.journal.part(topic, int(shard))] = end
        return _tail(_Readers(self, topics, 0, 1, start, at), self.world, wait_s)

    def lag(self, group: str) -> Mapping[Part, Lag]:
        """Say how far the group is (`EventLog.lag`)."""
        followers = self.followers()
        owners = [owner for one in followers if one.journal.group == group and (owner := Owner.read(one.journal))]
        topics = max(owners, key=lambda owner: owner.epoch).topics if owners else ()
        return lag_of(followers, topics, committed(followers, group), self.world.clock())

    def room(self) -> int:
        """Give the bytes until collectors stop (`EventLog.room`)."""
        total, free = self.world.disk(self.root)
        return max(0, free - max(int(total * self._floors.share), self._floors.least))

    def room_above_reserve(self) -> int:
        """Give the bytes that tasks other than collectors may write."""
        return max(0, self.world.disk(self.root)[1] - self._floors.reserve)

    def sweep(self) -> list[Path]:
        """Apply retention and give the deleted segments. Each task does it when it begins a segment."""
        return sweep(self.followers(), self.required, self.keep)

    def look_over(self, limit_s: float, *, deep: bool = False) -> LookOver:
        """Look for damage, newest segments first, as far as `limit_s` reaches; `deep`: the records too."""
        return look_over(self.followers(), limit_s, deep=deep)

    def newest_append(self) -> datetime | None:
        """Give the newest append time in the log, by whoever's clock wrote it."""
        heads = map(head_of, journals(self.root))
        newest = max((head.appended for head in heads if head), default=0)
        return datetime.fromtimestamp(newest / 1e6, UTC) if newest else None

    def followers(self) -> list[Follower]:
        """Follow every journal up to its head."""
        found = journals(self.root)
        self._followers = {one.id: self._followers.get(one.id) or Follower(one) for one in found}
        for follower in self._followers.values():
            follower.refresh()
        return list(self._followers.values())


class EmbeddedTask:
    """One owner of a share of a group (`Task`)."""

    def __init__(
        self, log: EmbeddedLog, group: str, topics: tuple[str, ...], worker: int, workers: int, rules: str
    ) -> None:
        self._log, self._world = log, log.world
        self._group, self._topics = group, topics
        self._worker, self._workers, self._rules = worker, workers, rules
        self._epoch = 0
        self._writer: Writer | None = None
        self._readers = _Readers(log, topics, worker, workers, {}, None)
        self._marks: dict[str, bytes] = {}
        self._queue: deque[Batch | Gap] = deque()

    def start(self) -> Positions:
        """Take the share and fence its former owner (`Task.start`).

        1. Under the log's lock, find an epoch later than every other of the group. 2. Fence workers of another number.
        3. Become the owner and mend the journal. 4. Join the group's positions and marks.
        """
        self.close()
        log, world = self._log, self._world
        with locked(log.root / "lock", world):
            group = [follower for follower in log.followers() if follower.journal.group == self._group]
            self._epoch = 1 + max((_epoch(follower) for follower in group), default=0)  # 1
            for follower in group:  # 2
                journal, owner = follower.journal, Owner.read(follower.journal)
                retired = journal.worker >= self._workers  # nobody else will mend it
                if retired or (journal.worker != self._worker and (owner is None or owner.workers != self._workers)):
                    with locked(journal.folder / "lock", world):
                        owner = self._own(journal)
                        if retired:
                            self._write_to(journal, owner).close()
            mine = next((one.journal for one in group if one.journal.worker == self._worker), None)
            mine = mine or create(log.root, self._group, self._worker, world)
            with locked(mine.folder / "lock", world):  # 3
                self._writer = self._write_to(mine, self._own(mine))
        followers = log.followers()
        group = [follower for follower in followers if follower.journal.group == self._group]
        self._writer.alone = len(group) == 1
        self._marks = _marks(group)
        ids = {follower.journal.part("", 0).split("/")[1] for follower in followers}
        for part in [one for one in self._writer.state.positions if one.split("/")[1] not in ids]:
            del self._writer.state.positions[part]  # the next segment's first frame leaves it out
        return self._begin(committed(followers, self._group), followers)  # 4

    def marks(self) -> Mapping[str, bytes]:
        """Give the marks committed last (`Task.marks`)."""
        return dict(self._marks)

    def seek(self, at: Positions) -> None:
        """Read on from these positions (`Task.seek`)."""
        self._begin({**self._readers.positions(), **at}, self._log.followers())

    def poll(self, wait_s: float, max_bytes: int) -> Sequence[Batch]:
        """Give what comes next (`Task.poll`)."""
        pause, left = _PAUSE_S[0], wait_s
        while not self._queue:
            self._queue.extend(self._readers.read(max_bytes))
            if not self._queue:
                if left <= 0:
                    return []
                self._world.sleep(min(pause, left))
                left, pause = left - pause, min(pause * 2, _PAUSE_S[1])
        found: list[Batch] = []
        while self._queue and isinstance(one := self._queue[0], Batch) and (max_bytes > 0 or not found):
            found.append(one)
            max_bytes -= sum(map(len, one.records))
            self._readers.given[one.part] = one.next
            self._queue.popleft()
        if found:
            return found
        gap = self._queue.popleft()
        assert isinstance(gap, Gap)  # noqa: S101 -- the loop stops at nothing else
        raise gap

    def commit(self, outs: Iterable[Out], upto: Positions, marks: Mapping[str, bytes]) -> None:
        """Write records, positions and marks as one frame (`Task.commit`)."""
        if self._writer is None:
            msg = "commit before start"
            raise ValueError(msg)
        for part, at in upto.items():
            if at > self._readers.given.get(part, -1):
                msg = f"position {at} of {part} was never read"
                raise ValueError(msg)
        after = {name: mark for name, mark in {**self._marks, **marks}.items() if mark}
        if marks:
            _check_marks(marks, after)
        change = State(
            {part: (at, self._epoch) for part, at in upto.items()},
            {name: (mark.decode("latin-1"), self._epoch) for name, mark in marks.items()},
        )
        room = self._log.room_above_reserve() if self._topics else self._log.room()
        self._writer.append(outs, change, self._rules, room)
        self._marks = after
        if self._writer.rolled:
            self._log.sweep()

    def close(self) -> None:
        """Let go (`Task.close`)."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._readers.close()
        self._queue.clear()

    def damage(self) -> list[Damage]:
        """List what could not be read, in the own journal at the start and since then in all that are read."""
        return [*(self._writer.damage if self._writer else ()), *self._readers.damage()]

    def _own(self, journal: Journal) -> Owner:
        owner = Owner(self._epoch, self._workers, self._topics)
        owner.write(journal, self._world)
        return owner

    def _write_to(self, journal: Journal, owner: Owner) -> Writer:
        return Writer(journal, owner, self._world, self._log.keep.segment_bytes, self._log.keep.segment_s)

    def _begin(self, positions: Mapping[Part, int], followers: Collection[Follower]) -> Positions:
        self._readers.close()
        self._queue.clear()
        self._readers = _Readers(self._log, self._topics, self._worker, self._workers, positions, None)
        known = {follower.journal.part("", 0).split("/")[1] for follower in followers}
        for part in positions:
            if self._readers.owns(part) and part.split("/")[1] not in known:
                self._queue.append(Gap(part, None, "its journal is not there any more"))
        return self._readers.start()


class _Readers:
    """The readers of all journals, for one share of some topics; journals that appear are taken in."""

    def __init__(
        self,
        log: EmbeddedLog,
        topics: Sequence[str],
        worker: int,
        workers: int,
        positions: Mapping[Part, int],
        since: int | None,
    ) -> None:
        self._log, self._topics, self._since = log, topics, since
        self._worker, self._workers = worker, workers
        self._positions = positions
        self._readers: dict[str, Reader] = {}
        self._turn = 0
        self.given: dict[Part, int] = dict(positions)  # what the task has seen: it may commit up to here

    def mine(self, shard: int) -> bool:
        return shard % self._workers == self._worker

    def owns(self, part: Part) -> bool:
        topic, _, shard = part.split("/")
        return topic in self._topics and self.mine(int(shard))

    def start(self) -> Positions:
        """Look for journals and give where reading begins in each Part known."""
        found: dict[Part, int] = {}
        for reader in self._all():
            if reader.locate() and (head := reader.head()) is not None:
                for key in head.ends:
                    if reader.owns(key):
                        topic, _, shard = key.partition("/")
                        found[reader.journal.part(topic, int(shard))] = reader.at(key)
        self.given |= found
        return found

    def positions(self) -> dict[Part, int]:
        return {part: at for reader in self._readers.values() for part, at in reader.positions.items()}

    def read(self, max_bytes: int) -> list[Batch | Gap]:
        """Ask one journal after the other, beginning with another one each time."""
        readers = self._all()
        self._turn += 1
        for place in range(len(readers)):
            if found := readers[(place + self._turn) % len(readers)].read(max_bytes):
                return found
        return []

    def damage(self) -> list[Damage]:
        return [damage for reader in self._readers.values() for damage in reader.damage]

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()

    def _all(self) -> list[Reader]:
        if not self._topics:
            return []
        for journal in journals(self._log.root, self._readers):
            mine = {part: at for part, at in self._positions.items() if _is_of(part, journal) and self.owns(part)}
            self._readers[journal.name] = Reader(journal, self._topics, self.mine, mine, self._since)
        return list(self._readers.values())


def _tail(readers: _Readers, world: World, wait_s: float | None) -> Iterator[Batch]:
    waited, pause = 0.0, _PAUSE_S[0]
    try:
        while True:
            found = readers.read(1 << 20)
            yield from (one for one in found if isinstance(one, Batch))
            if found:
                waited, pause = 0.0, _PAUSE_S[0]
            elif wait_s is not None and waited >= wait_s:
                return
            else:
                world.sleep(pause)
                waited, pause = waited + pause, min(pause * 2, _PAUSE_S[1])
    finally:
        readers.close()


def _marks(group: Iterable[Follower]) -> dict[str, bytes]:
    found: dict[str, tuple[str, int]] = {}
    for follower in group:
        for name, (mark, epoch) in follower.state.marks.items():
            if name not in found or found[name][1] <= epoch:
                found[name] = mark, epoch
    return {name: mark.encode("latin-1") for name, (mark, _) in found.items() if mark}


def _epoch(follower: Follower) -> int:
    owner, head = Owner.read(follower.journal), follower.head
    return max(owner.epoch if owner else 0, head.epoch if head else 0)


def _is_of(part: Part, journal: Journal) -> bool:
    return part.split("/")[1] == f"{journal.name}.{journal.id[:8].hex()}"


def _check_marks(marks: Mapping[str, bytes], after: Mapping[str, bytes]) -> None:
    size = sum(len(name) + len(mark) for name, mark in after.items())
    if size > MAX_MARKS or any(len(name) + len(mark) > _MAX_MARK for name, mark in marks.items()):
        msg = f"marks of {size} bytes: at most {_MAX_MARK} one, {MAX_MARKS} together"
        raise ValueError(msg)
