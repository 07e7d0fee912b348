"""Trials of records in a child that may die of them: what `vonggac.pipeline.sifting` asks.

The parent sends a count and the records, a line each; the child answers `ok` when it lived through them.
"""

from __future__ import annotations

import contextlib
import importlib
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from vonggac.cli import _service
from vonggac.event import Event
from vonggac.logport import Batch, Part
from vonggac.reading.endings import ending
from vonggac.settings import Settings

_LIMIT_S: Final = 60.0  # a trial, the start of the child with all its rules included


class Child:
    """A `Trial`: starts the child, and another one after each death."""

    def __init__(self, role: str, settings: Settings, beat: Callable[[], None], limit_s: float = _LIMIT_S) -> None:
        self._role, self._settings, self._beat, self._limit_s = role, settings, beat, limit_s
        self._process: subprocess.Popen[bytes] | None = None

    def survives(self, records: Sequence[bytes]) -> str:
        """Give "" when the child lived through the records, else how it ended."""
        process = self._process if self._process is not None and self._process.poll() is None else self._start()
        assert process.stdin is not None  # noqa: S101  PIPE
        assert process.stdout is not None  # noqa: S101  PIPE
        end = time.monotonic() + self._limit_s
        try:
            process.stdin.write(b"%d\n" % len(records) + b"".join(record + b"\n" for record in records))
            process.stdin.flush()
        except BrokenPipeError:
            return self._ended(process)
        while time.monotonic() < end:
            self._beat()
            if select.select([process.stdout], [], [], 0.5)[0]:
                return "" if process.stdout.readline() == b"ok\n" else self._ended(process)
        process.kill()
        self._ended(process)
        return f"no answer within {self._limit_s:.0f} s"

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "vonggac.cli._role"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=True)
        assert self._process.stdin is not None  # noqa: S101  PIPE
        spec = {"role": self._role, "settings": self._settings, "trial": True}
        self._process.stdin.write(msgspec.json.encode(spec) + b"\n")
        return self._process

    def _ended(self, process: subprocess.Popen[bytes]) -> str:
        self._process = None
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return ending(process.wait())


def serve_trials(role: str, settings: Settings) -> None:
    """Be the child: do with each lot of records what the role does, and touch nothing of the service."""
    attempt = _store_trial() if role == "store" else _detect_trial(settings)
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    while count := stdin.readline():
        attempt([stdin.readline().removesuffix(b"\n") for _ in range(int(count))])
        stdout.write(b"ok\n")
        stdout.flush()


def _detect_trial(settings: Settings) -> Callable[[list[bytes]], None]:
    built = _service.detectors(settings)
    examine = settings.folder / "examine"

    def attempt(records: list[bytes]) -> None:
        events = []
        for record in records:
            try:
                events.append(Event.from_json(record))
            except ValueError:
                continue  # the task names it
        for one in built:
            if one.events is not None:
                for _ in one.events.judge(events):
                    pass
            for event in events if one.files is not None else ():
                path = examine / str(event.doc.get("vonggac", {}).get("examine", ""))
                if one.files is not None and path.parent == examine and path.is_file():
                    for _ in one.files.examine(event, path):
                        pass

    return attempt


def _store_trial() -> Callable[[list[bytes]], None]:
    module: Any = importlib.import_module("connectors.embedded_store")

    def attempt(records: list[bytes]) -> None:
        with tempfile.TemporaryDirectory(prefix="vonggac-trial-") as folder:
            store = module.EmbeddedStore(Path(folder))
            part = Part("events/trial/0")
            store.save([Batch(part, 0, len(records), datetime.now(UTC), records)], {part: len(records)})
            store.close()

    return attempt
