"""What tests of listeners share: an intake that runs in a thread, with a collect task that commits to a list."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

import orjson

from vonggac.intake.inlet import Inlet, Intake
from vonggac.intake.tally import Tally
from vonggac.people.units import Units

AT: Final = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
_DEADLINE_S: Final = 30.0


def until(found: Callable[[], Any]) -> Any:
    """Wait for something true."""
    end = time.monotonic() + _DEADLINE_S
    while not (value := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)
    return value


Some = TypeVar("Some", bound=Intake)


class Listening(Generic[Some]):
    """Runs the intake until the end of the `with`; `events` and `dead` grow as they come. `paused` = a full log."""

    def __init__(self, intake: Some, room: int = 8 << 20, *, is_open: bool = False) -> None:
        self.intake, self._is_open = intake, is_open
        self.inlet = Inlet(Units(()), Tally(), lambda: AT, room=room)
        self.events: list[dict[str, Any]] = []
        self.dead: list[dict[str, Any]] = []
        self.stop, self.paused, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._threads = [threading.Thread(target=self._run), threading.Thread(target=self._collect)]

    def __enter__(self) -> Self:
        if not self._is_open:
            self.intake.open()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Stop as the service does: what was read is committed."""
        self.stop.set()
        self._threads[0].join(_DEADLINE_S)
        assert not self._threads[0].is_alive(), "it did not stop"
        self.paused.clear()
        self._ended.set()
        self._threads[1].join(_DEADLINE_S)
        self.intake.close()

    def messages(self, count: int) -> list[str]:
        """Wait for so many events; give their messages."""
        until(lambda: len(self.events) >= count)
        return [event["message"] for event in self.events]

    def told(self, text: str) -> str:
        """Wait for a dead record whose line holds the text."""
        return str(until(lambda: next((one["message"] for one in self.dead if text in one["message"]), None)))

    def _run(self) -> None:
        self.intake.run(self.inlet, {}, self.stop)

    def _collect(self) -> None:
        while True:
            last = self._ended.is_set()
            if self.paused.is_set():
                time.sleep(0.01)
                continue
            taken = self.inlet.take(0.05, 1 << 20)
            for out in (out for one in taken for out in one.outs):
                (self.events if out.topic == "events" else self.dead).append(orjson.loads(out.record))
            self.inlet.committed(taken)
            if last and not taken:
                return
