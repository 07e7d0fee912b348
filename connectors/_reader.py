"""Reads one journal for one task: frames up to the head, past all damage, in order, each loss told once."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from connectors._frame import Damaged, Header, Section
from connectors._journal import JUMP, Head, Journal, first_header, meta_of
from connectors._segment import MAX_DAMAGE, Damage, header_at, name_of, numbers, records_of, step_over
from vonggac.logport import Batch, Gap, Part

log: Final = logging.getLogger(__name__)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RETIRED: Final = "deleted by retention"
_UNKNOWN: Final = "the journal's head was damaged: nobody knows whether there were more"


class Reader:
    """Where a task is in a journal. `positions` is what it has been given; the caller reads it, `read` moves it."""

    def __init__(
        self,
        journal: Journal,
        topics: Collection[str],
        mine: Callable[[int], bool],
        positions: Mapping[Part, int],
        since: int | None = None,  # append time, microseconds: earlier batches are passed over
    ) -> None:
        self.journal = journal
        self.positions = dict(positions)
        self.damage: deque[Damage] = deque(maxlen=MAX_DAMAGE)
        self._topics, self._mine, self._since = frozenset(topics), mine, since
        self._parts: dict[tuple[str, int], Part] = {}
        self._origin: dict[str, int] = {}  # where Parts without a position begin
        self._head = self._file = self._segment = -1
        self._at = self._body = 0
        self._number = -1  # of the last frame read
        self._hurt = False  # since the last frame read
        self._why = ""  # the last damage, until all it cost has been told
        self._located = False
        self._settled = -1  # number of the head that was last reached
        self._first: list[Batch | Gap] = []  # what to give before anything else

    def close(self) -> None:
        """Close the files."""
        for file in (self._file, self._head):
            if file >= 0:
                os.close(file)
        self._file = self._head = -1

    def read(self, max_bytes: int) -> list[Batch | Gap]:
        """Give what comes next, about `max_bytes` of it; a Gap stands where it belongs."""
        if (head := self.head()) is None:
            return []
        if not self._located:
            self._locate(head)
        if head.number == self._settled:
            return []
        found, self._first = self._first, []
        while max_bytes > 0:
            limit = self._limit(head)
            if self._at >= limit:
                if self._segment >= head.segment or not self._next_segment(head):
                    self._settle(head, found)
                    break
                continue
            if (header := self._header(limit)) is None:
                continue
            for section in header.sections:
                if section.topic in self._topics and self._mine(section.shard):
                    max_bytes -= self._take(header, section, found)
            self._at += header.size
        return found

    def head(self) -> Head | None:
        """Read the durable end; None while there is none."""
        if self._head < 0:
            try:
                self._head = os.open(self.journal.folder / "head", os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
        return Head.read(self._head)

    def at(self, key: str) -> int:
        """Give the position in the Part `topic/shard`."""
        return self.positions.get(self._part(key), self._origin.get(key, 0))

    def owns(self, key: str) -> bool:
        """Say whether `topic/shard` is of this task."""
        topic, _, shard = key.partition("/")
        return topic in self._topics and self._mine(int(shard))

    def locate(self) -> bool:
        """Find where to begin, ahead of `read`; False while the journal has no durable end."""
        if not self._located and (head := self.head()) is not None:
            self._locate(head)
        return self._located

    # ------------------------------------------------------------------ the walk

    def _locate(self, head: Head) -> None:
        """Choose the last segment that begins at or before every position (and time): its first frame says where."""
        self._located = True
        found = [number for number in numbers(self.journal.folder) if number <= head.segment]
        if not found:
            return
        if (header := first_header(self.journal, found[0])) is not None:
            self._origin = meta_of(header)["ends"]
        begin = found[0]
        for number in reversed(found[1:]):
            if (header := first_header(self.journal, number)) is None:
                continue
            ends: dict[str, int] = meta_of(header)["ends"]
            if self._since is not None and header.appended <= self._since:
                begin, self._origin = number, ends
                break
            if self._since is None and all(self.at(key) >= end for key, end in ends.items() if self.owns(key)):
                begin = number
                break
        self._open(begin)
        for part, at in self.positions.items():
            topic, _, shard = part.split("/")
            if at > (end := head.ends.get(f"{topic}/{shard}", 0)) and self.owns(f"{topic}/{shard}"):
                self._first.append(Gap(part, None, f"position {at} is beyond the end {end}"))
                self.positions[part] = end

    def _open(self, number: int) -> bool:
        if self._file >= 0:
            os.close(self._file)
        self._segment, self._at, self._body, self._file = number, 0, 0, -1
        self._number = number - 1
        try:
            self._file = self.journal.open(number)
        except FileNotFoundError:
            self._why = _RETIRED
            return False
        return True

    def _limit(self, head: Head) -> int:
        if self._file < 0:
            return 0
        return head.offset if self._segment == head.segment else os.fstat(self._file).st_size

    def _next_segment(self, head: Head) -> bool:
        found = [n for n in numbers(self.journal.folder) if self._segment < n <= head.segment]
        if not found:
            return False
        if found[0] > self._number + 1 and not self._hurt and (self.journal.folder / name_of(self._segment)).exists():
            self._note(self._at, 0, f"the file ends before frame {self._number + 1}")
        self._open(found[0])
        return True

    def _header(self, limit: int) -> Header | None:
        """Read the frame at hand; or step over damage and give None."""
        size = min(limit, os.fstat(self._file).st_size)
        try:
            header = header_at(self._file, self._at, size, self.journal.id)
        except Damaged as error:
            start, after = step_over(self._file, self._body, self._at, size, self.journal.id)
            after = limit if after == size else after
            self._note(start, after - start, str(error))
            self._at = self._body = after
            return None
        if header.number <= self._number:
            self._note(self._at, header.size, f"frame {header.number} after frame {self._number}")
            self._at += header.size
            return None
        if header.number > self._number + 1 and not self._hurt:
            self._note(self._at, 0, f"frame {header.number} follows frame {self._number}")
        self._hurt = False
        self._number, self._body = header.number, self._at + header.length
        return header

    def _take(self, header: Header, section: Section, found: list[Batch | Gap]) -> int:
        part = self._part(f"{section.topic}/{section.shard}")
        at = self.at(f"{section.topic}/{section.shard}")
        if section.next <= at:
            return 0
        if self._since is not None and header.appended < self._since:
            self.positions[part] = section.next
            return 0
        if section.first > at:
            self._lost(part, at, section.first, found)
        self.positions[part] = section.next
        try:
            records = records_of(self._file, self._at, header, section)
        except Damaged as error:
            self._note(self._at, header.size, str(error))
            self._lost(part, section.first, section.next, found)
            return 0
        appended = _EPOCH + timedelta(microseconds=header.appended)
        found.append(Batch(part, section.first, section.next, appended, records))
        return section.size

    def _settle(self, head: Head, found: list[Batch | Gap]) -> None:
        """At the head: what it counts and no frame had is lost."""
        for key, end in head.ends.items():
            if self.owns(key) and (at := self.at(key)) < end:
                self._lost(self._part(key), at, end, found)
                self.positions[self._part(key)] = end
        self._why = ""
        self._settled = head.number

    def _lost(self, part: Part, at: int, to: int, found: list[Batch | Gap]) -> None:
        lost = to - at if to - at < JUMP else None
        found.append(Gap(part, lost, _UNKNOWN if lost is None else self._why or _RETIRED))

    def _note(self, at: int, length: int, reason: str) -> None:
        damage = Damage(self.journal.label(self._segment), at, length, reason)
        self.damage.append(damage)
        self._why, self._hurt = str(damage), True
        log.error("%s", damage)

    def _part(self, key: str) -> Part:
        topic, _, shard = key.partition("/")
        if (known := self._parts.get((topic, int(shard)))) is None:
            known = self._parts[topic, int(shard)] = self.journal.part(topic, int(shard))
        return known
