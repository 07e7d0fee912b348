"""How far a group is behind, Part by Part, read from headers alone."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from connectors._journal import Follower, Head, Journal, first_header, meta_of
from connectors._segment import Damage, numbers, walk
from vonggac.logport import Lag, Part


def lag_of(
    followers: Iterable[Follower], topics: Collection[str], committed: Mapping[Part, int], now: datetime
) -> dict[Part, Lag]:
    """Give the lag of every Part of the topics; `now` is only for the age."""
    found: dict[Part, Lag] = {}
    for follower in followers:
        journal, head = follower.journal, follower.head
        if head is None:
            continue
        firsts = _firsts(journal)
        waiting: dict[str, int] = {}
        for key, end in head.ends.items():
            topic, _, shard = key.partition("/")
            if topic in topics:
                part = journal.part(topic, int(shard))
                at = committed.get(part, firsts.get(key, 0))
                found[part] = Lag(firsts.get(key, 0), end, at, None)
                if at < end:
                    waiting[key] = at
        for key, appended in _oldest(journal, head, waiting).items():
            topic, _, shard = key.partition("/")
            part = journal.part(topic, int(shard))
            one = found[part]
            found[part] = Lag(one.first, one.end, one.committed, max(0.0, now.timestamp() - appended / 1e6))
    return found


def _firsts(journal: Journal) -> dict[str, int]:
    for number in numbers(journal.folder):
        if (header := first_header(journal, number)) is not None:
            ends: dict[str, int] = meta_of(header)["ends"]
            return ends
    return {}


def _oldest(journal: Journal, head: Head, waiting: Mapping[str, int]) -> dict[str, int]:
    """Give for each Part the append time of its first record at or after the position."""
    found: dict[str, int] = {}
    segments = [number for number in numbers(journal.folder) if number <= head.segment]
    begin = 0
    for place in range(len(segments) - 1, 0, -1):
        header = first_header(journal, segments[place])
        if header and all(meta_of(header)["ends"].get(key, 0) <= at for key, at in waiting.items()):
            begin = place
            break
    for number in segments[begin:]:
        if len(found) == len(waiting):
            break
        try:
            file = journal.open(number)
        except FileNotFoundError:
            continue
        try:
            size = os.fstat(file).st_size
            limit = min(size, head.offset) if number == head.segment else size
            for item in walk(file, 0, limit, journal.id, journal.label(number)):
                if len(found) == len(waiting):
                    break
                for section in () if isinstance(item, Damage) else item[1].sections:
                    key = f"{section.topic}/{section.shard}"
                    if key in waiting and section.next > waiting[key] and not isinstance(item, Damage):
                        found.setdefault(key, item[1].appended)
        finally:
            os.close(file)
    return found
