"""Looks a log over for damage, newest segments first: what people are told of it before a reader meets it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors._frame import Damaged
from connectors._journal import Follower, Journal
from connectors._segment import Damage, name_of, numbers, walk, whole


@dataclass(frozen=True, slots=True)
class LookOver:
    """What was found, and how much of the log was looked at."""

    segments: int
    looked_at: int
    damage: Sequence[Damage]


def look_over(followers: Sequence[Follower], limit_s: float, *, deep: bool) -> LookOver:
    """Read the frames' headers of every segment, up to each journal's head; `deep`: hold their records to checksums.

    No segment is begun after `limit_s` seconds. Raises NewerFormat, and OSError when a segment cannot be read.
    """
    end = time.monotonic() + limit_s
    todo = sorted(_segments(followers), key=lambda one: one[2], reverse=True)
    damage: list[Damage] = []
    looked_at = 0
    for journal, number, _, limit in todo:
        if looked_at and time.monotonic() > end:
            break
        looked_at += 1
        try:
            file = journal.open(number)
        except FileNotFoundError:  # retention took it meanwhile
            continue
        try:
            damage += _damage(file, limit, journal, number, deep=deep)
        finally:
            os.close(file)
    return LookOver(len(todo), looked_at, damage)


def _segments(followers: Sequence[Follower]) -> Iterator[tuple[Journal, int, float, int]]:
    """Yield each segment with its time of change and how far it is durable."""
    for follower in followers:
        head, journal = follower.head, follower.journal
        for number in numbers(journal.folder) if head else ():
            try:
                status = (journal.folder / name_of(number)).stat()
            except FileNotFoundError:
                continue
            if head and number <= head.segment:
                limit = min(status.st_size, head.offset) if number == head.segment else status.st_size
                yield journal, number, status.st_mtime, limit


def _damage(file: int, limit: int, journal: Journal, number: int, *, deep: bool) -> Iterator[Damage]:
    name = journal.label(number)
    for item in walk(file, 0, limit, journal.id, name):
        if isinstance(item, Damage):
            yield item
        elif deep:
            at, header = item
            try:
                whole(file, at, limit, journal.id)
            except Damaged as error:
                yield Damage(name, at, header.size, str(error))
