"""A followed file while the service runs: where it lies, how it grew, whether it has lost its name."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from vonggac.intake._grows import Place

OLD: Final = 2.0  # seconds after which the lines of one event are all there


@dataclass(slots=True)
class File:
    """A file in work. `at`: where it lies now; None = deleted, there is only the descriptor."""

    place: Place
    at: str | None
    descriptor: int | None = None
    size: int = -1  # as it was looked at last
    changed: float = 0.0  # when it grew last (monotonic, seconds)
    grew: deque[tuple[float, int]] = field(default_factory=deque)  # (when, size)
    more: bool = True  # there is something to do though it has not grown
    rotated: bool = False  # it has lost the name that it was followed under
    listed: bool = True  # its place is one of those to follow
    next_look: float = 0.0
    useless: bool = False  # named: it cannot be followed

    def close(self) -> None:
        """Let go of the descriptor."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def old(self, now: float) -> int:
        """Give the size that it had two seconds ago."""
        while len(self.grew) > 1 and self.grew[1][0] <= now - OLD:
            self.grew.popleft()
        return self.grew[0][1] if self.grew and self.grew[0][0] <= now - OLD else 0


def inode_of(path: str) -> int:
    """Give a path's inode, 0 when there is none."""
    try:
        return os.stat(path).st_ino  # noqa: PTH116
    except OSError:
        return 0
