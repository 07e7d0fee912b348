"""Results of inputs that wait for an earlier one: in memory up to a limit that all of them share, above it in files."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MEMORY: Final = 64 << 20  # bytes, of all inputs that wait


class Room:
    """How much may still wait in memory, and the folder of the rest."""

    def __init__(self, memory: int = MEMORY) -> None:
        self.left = memory
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files = 0

    def file(self) -> Path:
        """Name a new file."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="vonggac-")
        self._files += 1
        return Path(self._folder.name, str(self._files))

    def close(self) -> None:
        """Delete the files."""
        if self._folder is not None:
            self._folder.cleanup()


class Held:
    """What one input gave, in its order. Its file is open only while it is used: thousands of inputs may wait."""

    def __init__(self, room: Room) -> None:
        self.done = False
        self._room = room
        self._kept: deque[bytes] = deque()
        self._file: Path | None = None

    def put(self, message: bytes) -> None:
        """Take a message, below 4 GiB."""
        if self._file is None and len(message) <= self._room.left:
            self._room.left -= len(message)
            self._kept.append(message)
            return
        if self._file is None:
            self._file = self._room.file()
        with self._file.open("ab") as file:
            file.write(len(message).to_bytes(4, "big") + message)

    def replay(self) -> Iterator[bytes]:
        """Give everything back, and keep nothing."""
        while self._kept:
            message = self._kept.popleft()
            self._room.left += len(message)
            yield message
        if self._file is not None:
            with self._file.open("rb") as file:
                while size := file.read(4):
                    yield file.read(int.from_bytes(size, "big"))
            self._file.unlink()
            self._file = None
