"""The collect task: makes durable what the intakes read: events, dead records and cursors in one commit."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from vonggac.dead import TOPIC as DEAD
from vonggac.health.measure import Own
from vonggac.intake.inlet import Closed, Delivery, Inlet, Intake
from vonggac.intake.tally import Tally
from vonggac.logport import Out, Task
from vonggac.pipeline.clockwatch import Clockwatch
from vonggac.pipeline.healthtask import TOPIC as HEALTH
from vonggac.pipeline.turning import Life, commit

_log = logging.getLogger(__name__)

GROUP: Final = "collect"
_LINGER_S: Final = 0.01  # what comes within it shares a commit, and so one sync
_BYTES: Final = 4 << 20  # a commit
_SHOW_S: Final = 1.0
_AGAIN_S: Final = (1.0, 60.0)  # how long an intake that ended waits


class Collect:
    """Owns the task, the inlet and the threads of the intakes."""

    def __init__(
        self,
        task: Task,
        inlet: Inlet,
        tally: Tally,
        intakes: Sequence[Intake],
        life: Life,
        clock: Callable[[], datetime],
        room: Callable[[], int],
        own: Callable[[], Own] = Own,
    ) -> None:
        """`own` gives what is known of the service beside this task; it is asked with each beat and raises nothing."""
        self._task, self._inlet, self._tally, self._life, self._clock = task, inlet, tally, life, clock
        self._intakes, self._room, self._ask = intakes, room, own
        self._lost: dict[str, tuple[int, int]] = {}  # as the last beat said, since the start
        self._watch = Clockwatch()
        self._stop = threading.Event()  # of the intakes
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        """Serve until `stop` or `drain`: then the intakes end, and what they had read is committed."""
        self._task.start()
        marks = self._task.marks()
        for intake in self._intakes:
            thread = threading.Thread(target=self._intake, args=(intake, marks), name=intake.name, daemon=True)
            thread.start()
            self._threads.append(thread)
        self._life.ready()
        while not (self._life.stop.is_set() or self._life.drain.is_set()):
            if time.monotonic() - self._life.shown > _SHOW_S:
                self._show()
            self._turn(0.2)
        self._end()

    def _turn(self, wait_s: float) -> bool:
        """Commit what waits; False when nothing did."""
        if said := self._watch.look(self._clock(), time.monotonic()):
            self._life.count("clock_set_total")
            _log.warning("%s", said)
        health = [Out(HEALTH, line) for line in self._tally.take(self._clock(), self._own)]
        taken = self._inlet.take(0 if health else wait_s, _BYTES)
        if taken and sum(one.size for one in taken) < _BYTES // 4:
            time.sleep(_LINGER_S)
            taken += self._inlet.take(0, _BYTES)
        if not taken and not health:
            self._life.page.beat()
            return False
        outs = [out for one in taken for out in one.outs]
        marks: dict[str, bytes] = {}
        for one in taken:
            marks.update(one.marks)
        durable = commit(self._task, self._life, outs + health, {}, marks, pause=self._stall)
        self._inlet.stalled = False
        if durable:
            self._inlet.committed(taken)
            self._count(outs, sum(map(len, (out.record for out in outs))))
        self._life.page.beat()
        return True

    def _stall(self, seconds: float) -> None:
        """Wait for room on the disk; who can send again is to do so, rather than to wait for an answer."""
        self._inlet.stalled = True
        self._life.stop.wait(seconds)

    def _own(self) -> Own:
        """Give what the service says of itself: what this task knows, and what it was given."""
        lost: dict[str, tuple[int, int]] = {}
        for intake in self._intakes:
            figures = intake.figures()
            kernel, ours = int(figures.get("dropped_kernel_total", 0)), int(figures.get("dropped_total", 0))
            before = self._lost.get(intake.name, (0, 0))
            self._lost[intake.name] = kernel, ours
            if (kernel, ours) != before:
                lost[intake.name] = max(0, kernel - before[0]), max(0, ours - before[1])
        return msgspec.structs.replace(self._ask(), lost=lost, clock=self._watch.take())

    def _count(self, outs: Sequence[Out], size: int) -> None:
        dead = sum(out.topic == DEAD for out in outs)
        self._life.count("events_total", len(outs) - dead)
        self._life.count("dead_total", dead)
        self._life.count("bytes_total", size)
        self._life.count("commits_total")

    def _show(self) -> None:
        figures = self._life.figures
        figures["waiting_bytes"] = self._inlet.waiting
        figures["room_bytes"] = self._room()
        for intake in self._intakes:
            for name, value in intake.figures().items():
                figures[f'intake_{name}{{intake="{intake.name}"}}'] = value
        self._life.show()

    def _end(self) -> None:
        """Stop the intakes, commit what they gave, let go."""
        self._stop.set()
        end = time.monotonic() + 2.3
        while time.monotonic() < end and any(thread.is_alive() for thread in self._threads):
            self._turn(0.05)
        self._inlet.close()
        while not self._life.stop.is_set() and self._turn(0):
            pass
        for intake in self._intakes:
            intake.close()
        self._show()
        self._task.close()

    def _intake(self, intake: Intake, marks: Mapping[str, bytes]) -> None:
        """Run one intake, in its thread; one that ends is started again, later each time."""
        pause = _AGAIN_S[0]
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                intake.run(self._inlet, marks, self._stop)
                reason = "it ended"
            except Closed:
                return
            except OSError as error:
                reason = str(error)
            except Exception as error:  # noqa: BLE001  the one fence of this loop: our fault in one intake stops no other
                _log.exception("fault in intake %s", intake.name)
                reason = f"fault of Vọng Gác, please report it: {type(error).__name__}: {error}"
            if self._stop.is_set():
                return
            self._life.count(f'intake_ended_total{{intake="{intake.name}"}}')
            _log.error("%s: %s; once more in %.0f s", intake.name, reason, pause)
            self._stop.wait(pause)
            pause = _AGAIN_S[0] if time.monotonic() - began > 600 else min(pause * 2, _AGAIN_S[1])
            if not self._settled(intake.name):
                return
            marks = self._task.marks()

    def _settled(self, name: str) -> bool:
        """Wait until what an intake gave before it ended is committed: its marks would lie behind; False at the end."""
        committed = threading.Event()
        try:
            self._inlet.put(Delivery("", (), name, done=committed.set))
        except Closed:
            return False
        while not committed.wait(0.1):
            if self._stop.is_set():
                return False
        return True
