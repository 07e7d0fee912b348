"""Shared pages: what a role tells the supervisor and the metrics about itself, through a small file mapped by both.

    offset  what, in the byte order of the machine
         0  b"VGPAGE01"
         8  u64 heartbeat: CLOCK_MONOTONIC, ns; the same clock in every process of the machine
        16  u64 state: 0 starting, 1 ready, 2 draining, 3 stopped
        24  u64 pid
        32  what is in hand (a frame, a file), so that whoever finds the role dead knows on what it died
      4096  figures and notes, JSON

Texts are written by one process, in a way that a reader never takes half of one: a sequence number (odd while
writing), the length, the bytes. No lock: a role that is killed in the midst of it stops nobody.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

import orjson

SIZE: Final = 64 << 10
_MAGIC: Final = b"VGPAGE01"
_WORK, _FIGURES = 32, 4096
_TEXT: Final = 16  # bytes before a text: its sequence number and length


class State(IntEnum):
    """What a role is doing."""

    STARTING = 0
    READY = 1
    DRAINING = 2
    STOPPED = 3


class Page:
    """One role's page. `Page.create` empties it (the role), `Page(path)` looks at it; raises OSError, ValueError."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)
        if self._map[:8] != _MAGIC:
            msg = f"{path}: not a page of this version"
            raise ValueError(msg)
        # each number in one store: struct.pack_into clears its bytes first, and who looked then saw no heartbeat, 0
        self._numbers = memoryview(self._map).cast("Q")

    @classmethod
    def create(cls, path: Path) -> Page:
        """Make the page anew; who looked at the old one still sees the old one."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        new = path.with_suffix(f".{os.getpid()}.new")
        new.write_bytes(_MAGIC.ljust(SIZE, b"\0"))
        new.replace(path)
        page = cls(path)
        page._put(24, os.getpid())
        page.beat()
        return page

    # ------------------------------------------------------------------ the role

    def beat(self) -> None:
        """Say that the role is alive and not stuck."""
        self._put(8, time.monotonic_ns())

    def work(self, what: str) -> None:
        """Say what is in hand; empty = nothing."""
        self.beat()
        self._write(_WORK, what.encode()[: _FIGURES - _WORK - _TEXT])

    def publish(self, figures: Mapping[str, float], notes: Mapping[str, Any] | None = None) -> None:
        """Show figures (metric name with labels: number) and notes (JSON values). What does not fit is left out."""
        self.beat()
        text = orjson.dumps({"figures": figures, "notes": notes or {}})
        kept = list(figures.items())
        while len(text) > SIZE - _FIGURES - _TEXT:
            kept = kept[: len(kept) // 2]
            shown = {**dict(kept), "figures_left_out": len(figures) - len(kept)}
            text = orjson.dumps({"figures": shown, "notes": {}})
        self._write(_FIGURES, text)

    def set_state(self, state: State) -> None:
        """Say what the role is doing."""
        self.beat()
        self._put(16, state)

    # ------------------------------------------------------------- the others

    @property
    def state(self) -> State:
        """What the role is doing."""
        return State(self._get(16))

    @property
    def pid(self) -> int:
        """Whose page it is."""
        return self._get(24)

    @property
    def age_s(self) -> float:
        """Seconds since the last heartbeat."""
        return (time.monotonic_ns() - self._get(8)) / 1e9

    def in_hand(self) -> str:
        """What the role has (or died) working on."""
        return self._read(_WORK).decode("utf-8", "replace")

    def shown(self) -> tuple[dict[str, float], dict[str, Any]]:
        """Give figures and notes; empty before the first `publish`."""
        try:
            found = orjson.loads(self._read(_FIGURES) or b"{}")
        except orjson.JSONDecodeError:  # killed while writing
            return {}, {}
        return found.get("figures", {}), found.get("notes", {})

    def close(self) -> None:
        """Let go of the mapping."""
        self._numbers.release()
        self._map.close()

    def _put(self, at: int, value: int) -> None:
        self._numbers[at // 8] = value

    def _get(self, at: int) -> int:
        return self._numbers[at // 8]

    def _write(self, at: int, text: bytes) -> None:
        sequence = self._get(at) | 1
        self._put(at, sequence)
        self._map[at + 16 : at + 16 + len(text)] = text
        self._put(at + 8, len(text))
        self._put(at, sequence + 1)

    def _read(self, at: int) -> bytes:
        for _ in range(1_000):
            sequence, length = self._get(at), self._get(at + 8)
            text = bytes(self._map[at + 16 : at + 16 + min(length, SIZE)])
            if not sequence & 1 and sequence == self._get(at):
                return text
        return text  # its writer was killed: the last whole part is as good as any


def page_of(data: Path, instance: str) -> Path:
    """Name the page of a role's instance, such as `collect-0`."""
    return data / "run" / "pages" / instance


def pages(data: Path) -> dict[str, Page]:
    """Open the pages that there are, by instance; those that are being made are left out."""
    found: dict[str, Page] = {}
    folder = data / "run" / "pages"
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix != ".new":
            try:
                found[path.name] = Page(path)
            except (OSError, ValueError):
                continue
    return found


@dataclass(frozen=True, slots=True)
class Look:
    """What a page said at one moment."""

    pid: int
    state: State
    age_s: float  # since the last heartbeat
    figures: Mapping[str, float]
    notes: Mapping[str, Any]


def look(data: Path) -> dict[str, Look]:
    """Read all pages that there are, by instance."""
    found: dict[str, Look] = {}
    for name, page in pages(data).items():
        found[name] = Look(page.pid, page.state, page.age_s, *page.shown())
        page.close()
    return found
