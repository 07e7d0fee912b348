"""Files that were read: put away into `.done/` or `.failed/`, durably, and deleted when they are old enough."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

DONE: Final = ".done"
FAILED: Final = ".failed"
_DELETED: Final = 5_000  # files, at once


def put_away(root: Path, path: str, inside: str, *, failed: bool) -> set[str]:
    """Move a file to the same place below `.done` or `.failed`; give the folders to sync. Raises OSError.

    A number is added to the name when there is one already.
    """
    shelf = os.path.join(root, FAILED if failed else DONE)  # noqa: PTH118  any bytes
    target = os.path.join(shelf, inside)  # noqa: PTH118
    with contextlib.suppress(FileExistsError, NotADirectoryError):
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
        return _move(path, target)
    # a file of an earlier day has the name of a folder of today
    return _move(path, os.path.join(shelf, inside.replace("/", "!")))  # noqa: PTH118


def _move(path: str, target: str) -> set[str]:
    free, number = target, 0
    while os.path.lexists(free):
        number += 1
        free = f"{target}.{number}"
    os.rename(path, free)  # noqa: PTH104
    return {os.path.dirname(path), os.path.dirname(free)}  # noqa: PTH120


def sync_folders(folders: Iterable[str]) -> None:
    """Make what was renamed, made or deleted in these folders durable; raises OSError."""
    for folder in folders:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def expire(root: Path, before: float) -> int:
    """Delete what was put away before a time (seconds since the epoch), and folders left empty; give the count.

    The time of a file here is that of its inode's last change, which the move was.
    """
    count = 0
    for shelf in (DONE, FAILED):
        for folder, names, files in os.walk(root / shelf, topdown=False):
            for name in files:
                path = os.path.join(folder, name)  # noqa: PTH118
                with contextlib.suppress(OSError):
                    if os.lstat(path).st_ctime <= before and count < _DELETED:
                        os.unlink(path)  # noqa: PTH108
                        count += 1
            for name in names:
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.join(folder, name))  # noqa: PTH106, PTH118  fails unless it is empty: wanted
    return count
