"""What lies in a folder that people drop files into: found by looking, taken when it has come to rest."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vonggac.event import Bad
from vonggac.reading.source import display, kind_of, open_regular

_SLOW: Final = 10  # rests, for a file that someone holds open for writing, or that is empty: its writer may be slow
_MOST: Final = 50_000  # files of one look; the next ones come when these are gone
_HEAD: Final = 4096  # bytes that a file is known by, with its inode, size and time
_UNFINISHED: Final = (".tmp", ".part", ".crdownload", ".filepart")


@dataclass(frozen=True, slots=True)
class Found:
    """A file as it was seen."""

    path: str  # absolute; may hold any bytes (surrogates)
    inside: str  # relative to the folder that is watched
    size: int
    changed: int  # nanoseconds
    inode: int

    @property
    def unit(self) -> str:
        """The first sub-folder's name; empty for what lies in the folder itself."""
        return display(self.inside.partition("/")[0]) if "/" in self.inside else ""

    def same(self) -> bool:
        """Say whether this very file, unchanged, is still there."""
        try:
            status = os.lstat(self.path)
        except OSError:
            return False
        return (status.st_ino, status.st_size, status.st_mtime_ns) == (self.inode, self.size, self.changed)

    def key(self) -> str:
        """Give 32 hex digits that a rename and a restart do not change: inode, size, time, the first bytes."""
        head = b""
        with contextlib.suppress(OSError), open_regular(self.path) as file:
            head = file.read(_HEAD)
        said = b"%d %d %d " % (self.inode, self.size, self.changed)
        return hashlib.blake2b(said + head, digest_size=16).hexdigest()


def look(root: str) -> Iterator[Found | Bad]:
    """Yield the files below `root`, sorted within a folder, and a `Bad` for what is neither file nor folder.

    Left out: names that begin with a dot or say that they are not finished. No link is followed. Raises OSError when
    `root` itself cannot be read.
    """
    count = 0
    todo = [""]
    while todo:
        inside = todo.pop()
        try:
            with os.scandir(os.path.join(root, inside)) as listed:  # noqa: PTH118  any bytes, thousands of them
                entries = sorted(listed, key=lambda one: one.name)
        except OSError as error:
            if not inside:
                raise
            yield Bad(display(os.path.join(root, inside)), "", error.strerror or str(error))  # noqa: PTH118
            continue
        folders = []
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(_UNFINISHED):
                continue
            name = f"{inside}/{entry.name}" if inside else entry.name
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                continue  # gone meanwhile
            if stat.S_ISDIR(status.st_mode):
                folders.append(name)
            elif stat.S_ISREG(status.st_mode):
                yield Found(entry.path, name, status.st_size, status.st_mtime_ns, status.st_ino)
                count += 1
                if count >= _MOST:
                    return
            else:
                yield Bad(display(entry.path), "", f"is a {kind_of(status.st_mode)}, not a file: left where it is")
        todo += reversed(folders)


class Resting:
    """Which files have come to rest: `rest_s` seconds without a change."""

    def __init__(self, rest_s: float) -> None:
        self._rest = rest_s
        # by path: as it was first seen like this, when, and whether it has come to rest
        self._seen: dict[str, tuple[Found, float, bool]] = {}

    def rested(self, found: list[Found], now: float) -> list[Found]:
        """Give those of a look that rest; `now` is a monotonic clock's, in seconds."""
        before, self._seen = self._seen, {}
        ready: list[Found] = []
        for one in found:
            known = before.get(one.path)
            since, rests = (known[1], known[2]) if known is not None and known[0] == one else (now, False)
            quiet = now - since
            rests = (
                rests
                or quiet >= _SLOW * self._rest
                or (quiet >= self._rest and one.size > 0 and not _written(one.path))
            )
            self._seen[one.path] = one, since, rests
            if rests:
                ready.append(one)
        return ready


def _written(path: str) -> bool:
    """Say whether someone has the file open for writing, where the system tells us.

    A read lease is refused (EAGAIN) while a writer is there: fcntl(2), "Leases". A writer that comes in the moment in
    which we hold it waits for us, and its signal is made one that does nothing.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # not our file, or a file system without leases
        return False
    finally:
        os.close(descriptor)
    return False
