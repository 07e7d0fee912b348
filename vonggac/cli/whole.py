"""The files of --output and --summary: there whole or not at all; a device or a FIFO is written to."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Give a stream whose bytes appear at `path` when the block ends well; an old file stays until then.

    A link stays a link: what it leads to is replaced. Raises OSError naming `path` when nothing can be put there.
    """
    with _named(path):
        target = _target(path)
    if target is None:
        with _named(path):
            stream = path.open("wb")
        with stream:
            yield stream
        return
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:  # from before the file is made: Ctrl-C may come between any two steps
        with _named(path):
            stream = new.open("wb")
        with stream:
            yield stream
        with _named(path):
            new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)  # nothing half-written
        raise


def _target(path: Path) -> Path | None:
    """Say which file is to be replaced, behind any link; None for what is no file."""
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        kind = stat.S_IFREG
    return path.resolve() if stat.S_ISREG(kind) else None


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let an error name what was asked for, not the file beside it."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
