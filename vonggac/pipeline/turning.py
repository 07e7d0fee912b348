"""What every task of the service has in common: its page, its pauses, and what it does when the disk is full."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from vonggac.logport import Batch, Full, Gap, Out, Positions, Task, TooBig
from vonggac.pipeline.pages import Page, State

_log = logging.getLogger(__name__)
_PATIENCE_S: Final = 0.25
_SHOW_S: Final = 1.0


@dataclass(slots=True)
class Life:
    """How a task tells others about itself, and hears that it is to end.

    `stop`: begin nothing new. `drain`: finish what waits, then end.
    """

    page: Page
    stop: threading.Event = field(default_factory=threading.Event)
    drain: threading.Event = field(default_factory=threading.Event)
    figures: dict[str, float] = field(default_factory=dict)
    notes: dict[str, object] = field(default_factory=dict)
    shown: float = 0.0  # when, by the monotonic clock

    def count(self, name: str, by: float = 1) -> None:
        """Add to a counter."""
        self.figures[name] = self.figures.get(name, 0) + by

    def show(self) -> None:
        """Publish the figures."""
        self.shown = time.monotonic()
        self.page.publish(self.figures, self.notes)

    def tell(self) -> None:
        """Give a sign of life, and the figures once a second."""
        if time.monotonic() - self.shown > _SHOW_S:
            self.show()
        else:
            self.page.beat()

    def ready(self) -> None:
        """Say that the role does its work."""
        self.show()
        self.page.set_state(State.READY)


def turns(
    task: Task, life: Life, max_bytes: int, patience: Callable[[], float] = lambda: _PATIENCE_S
) -> Iterator[Sequence[Batch]]:
    """Poll again and again: until `stop`, or until nothing waits any more once `drain` is set.

    Yields also when nothing came within `patience()` seconds, for what is due by time.
    """
    while not life.stop.is_set():
        draining = life.drain.is_set()
        batches = poll(task, life, 0 if draining else patience(), max_bytes)
        if not batches and draining:
            return
        yield batches


def poll(task: Task, life: Life, wait_s: float, max_bytes: int) -> Sequence[Batch]:
    """Poll; records that are lost are said and counted, and reading goes on."""
    while True:
        try:
            return task.poll(wait_s, max_bytes)
        except Gap as gap:
            life.count("gaps_total")
            life.count("lost_total", gap.lost or 0)
            _log.error("%s", gap)


def commit(
    task: Task,
    life: Life,
    outs: Sequence[Out],
    upto: Positions,
    marks: Mapping[str, bytes],
    *,
    pause: Callable[[float], object] | None = None,
) -> bool:
    """Commit, whatever it takes: in pieces when it is too big, again and again while the disk is full.

    Gives False when the disk was full and the task is to stop: nothing was written then. Pieces before the last carry
    no positions: what is read again after a death between them is written again, with equal ids.
    """
    said = False
    while True:
        try:
            _in_pieces(task, outs, upto, marks)
        except Full:
            life.count("full_total")
            life.figures["full"] = 1
            if not said:
                _log.error("the disk is at its floor: waiting until there is room; nothing is lost")
                said = True
            life.show()
            (pause or life.stop.wait)(1.0)
            if life.stop.is_set():
                return False
            continue
        if said:
            _log.warning("there is room again: going on")
        life.figures["full"] = 0
        return True


def _in_pieces(task: Task, outs: Sequence[Out], upto: Positions, marks: Mapping[str, bytes]) -> None:
    while True:
        try:
            task.commit(outs, upto, marks)
        except TooBig as big:
            if big.alone:
                raise  # whoever made the record bounds it; one above the limit is our own fault
            task.commit(outs[: big.index], {}, {})
            outs = outs[big.index :]
            continue
        return
