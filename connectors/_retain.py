"""Retention: which segments may go: by size and age, oldest first, never one that a required group has not passed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors._journal import Follower, Journal, first_header, meta_of
from connectors._segment import name_of, numbers
from vonggac.logport import Part

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of the log stays."""

    max_bytes: int = 20 << 30  # of all segments together
    max_age_s: float = 7 * 86400.0  # against the newest append time in the log, never against a clock
    segment_bytes: int = 64 << 20  # a segment ends at about this size
    segment_s: float = 86400.0  # or at this age


@dataclass(frozen=True, slots=True)
class _Segment:
    journal: Journal
    number: int
    size: int
    appended: int  # of the first frame after it: it holds nothing later
    ends: dict[str, int]  # offsets of the Parts at its end


def committed(followers: Iterable[Follower], group: str) -> dict[Part, int]:
    """Join what the journals of a group say of its positions: the one of the latest epoch counts."""
    found: dict[str, tuple[int, int]] = {}
    for follower in followers:
        if follower.journal.group == group:
            for part, (at, epoch) in follower.state.positions.items():
                if part not in found or found[part][1] <= epoch:
                    found[part] = at, epoch
    return {Part(part): at for part, (at, _) in found.items()}


def sweep(followers: Collection[Follower], required: Mapping[str, Collection[str]], keep: Keep) -> list[Path]:
    """Delete what may go and give the files' paths. The last segment of a journal always stays.

    `required` names for each topic the groups that must have passed a record. A segment whose end cannot be read
    from a later one stays.
    """
    segments = [segment for follower in followers for segment in _segments(follower.journal)]
    segments.sort(key=lambda one: (one.appended, one.journal.name, one.number))
    total = sum(path.stat().st_size for follower in followers for path in _files(follower.journal))
    newest = max((follower.head.appended for follower in followers if follower.head), default=0)
    needed = {group: committed(followers, group) for groups in required.values() for group in groups}
    held: set[str] = set()
    gone = []
    for segment in segments:
        old = newest - segment.appended > keep.max_age_s * 1e6
        if not old and total <= keep.max_bytes:
            continue
        # a hole in the middle of a journal would be a loss to a slow reader: only from its beginning
        if segment.journal.name in held or not _passed(segment, required, needed):
            held.add(segment.journal.name)
            continue
        path = segment.journal.folder / name_of(segment.number)
        path.unlink(missing_ok=True)
        total -= segment.size
        gone.append(path)
        log.info("%s/%s: deleted by retention", segment.journal.name, path.name)
    return gone


def _passed(
    segment: _Segment, required: Mapping[str, Collection[str]], needed: Mapping[str, Mapping[Part, int]]
) -> bool:
    for key, end in segment.ends.items():
        topic, _, shard = key.partition("/")
        part = segment.journal.part(topic, int(shard))
        if any(needed[group].get(part, 0) < end for group in required.get(topic, ())):
            return False
    return True


def _segments(journal: Journal) -> Iterable[_Segment]:
    found = numbers(journal.folder)
    for place, number in enumerate(found[:-1]):
        after = (header for later in found[place + 1 :] if (header := first_header(journal, later)))
        if (header := next(after, None)) is not None:
            size = (journal.folder / name_of(number)).stat().st_size
            yield _Segment(journal, number, size, header.appended, meta_of(header)["ends"])


def _files(journal: Journal) -> Iterable[Path]:
    return (journal.folder / name_of(number) for number in numbers(journal.folder))
