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
        aside, stream = _opened(path)
    try:
        with stream:
            yield stream
        if aside is not None:
            with _named(path):
                aside[0].replace(aside[1])
    except BaseException:
        if aside is not None:
            aside[0].unlink(missing_ok=True)  # nothing half-written
        raise


def _opened(path: Path) -> tuple[tuple[Path, Path] | None, IO[bytes]]:
    """Open the new file beside its place, and say which it is and where it goes; or what is no file, as it is."""
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        kind = stat.S_IFREG
    if not stat.S_ISREG(kind):
        return None, path.open("wb")
    target = path.resolve()
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    return (new, target), new.open("wb")


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let an error name what was asked for, not the file beside it."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
