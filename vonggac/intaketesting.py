"""What tests of intakes import: a collect task that commits by hand, and a thread that runs an intake."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final

import orjson

from vonggac.intake.inlet import Inlet, Intake, Sealed
from vonggac.intake.tally import Tally
from vonggac.people.units import Units
from vonggac.testing import NOW

DEADLINE: Final = 15.0  # seconds; no test comes near it


class Committed:
    """What was committed, and nothing else: what a life that is thrown away leaves behind."""

    def __init__(self) -> None:
        self.records: list[tuple[str, dict[str, Any]]] = []  # (topic, document)
        self.marks: dict[str, bytes] = {}

    def commit(self, inlet: Inlet, taken: Sequence[Sealed]) -> None:
        """Make these durable, and acknowledge them."""
        for sealed in taken:
            self.records += [(out.topic, orjson.loads(out.record)) for out in sealed.outs]
            self.marks = {name: mark for name, mark in {**self.marks, **sealed.marks}.items() if mark}
        inlet.committed(taken)

    def events(self) -> list[dict[str, Any]]:
        """Give the events, in their order."""
        return [record for topic, record in self.records if topic == "events"]

    def dead(self) -> list[str]:
        """Give the line of each record that could not be read."""
        return [record["message"] for topic, record in self.records if topic == "dead"]

    def ids(self) -> Counter[str]:
        """Give the multiset of event ids."""
        return Counter(event["event"]["id"] for event in self.events())


def new_inlet() -> Inlet:
    """Give a queue without units, whose clock stands."""
    return Inlet(Units(()), Tally(), lambda: NOW)


@contextmanager
def running(intake: Intake, marks: Mapping[str, bytes]) -> Iterator[Inlet]:
    """Run an intake in a thread; what it raises fails the test."""
    inlet = new_inlet()
    stop = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            intake.run(inlet, marks, stop)
        except BaseException as error:  # noqa: BLE001  raised again below, in the test's thread
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield inlet
    finally:
        stop.set()
        inlet.close()
        thread.join(DEADLINE)
        intake.close()
    if failed:
        raise failed[0]
    if thread.is_alive():
        msg = f"{intake.name} does not stop"
        raise AssertionError(msg)


def drained(intake: Intake, log: Committed, until: Callable[[], bool]) -> None:
    """Run an intake and commit all that comes, until something is true."""
    end = monotonic() + DEADLINE
    with running(intake, log.marks) as inlet:
        while not until():
            if monotonic() > end:
                msg = f"nothing more came: {log.dead()} {log.marks}"
                raise AssertionError(msg)
            log.commit(inlet, inlet.take(0.05, 1 << 20))
