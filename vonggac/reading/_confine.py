"""Stands in front of an outside program: takes memory, time and rights from itself, then becomes the program.

Run as a script by `vonggac.reading.programs`: `_confine.py MEMORY SECONDS UID GID PROGRAM ARGUMENT…`; UID -1 = stay.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from typing import NoReturn


def become(memory: int, seconds: int, uid: int, gid: int, command: list[str]) -> NoReturn:
    """Limit address space (bytes) and CPU time, forbid writing files and dumping core, give up root, and exec."""
    limit(resource.RLIMIT_AS, memory)
    limit(resource.RLIMIT_CPU, seconds, seconds + 2)  # SIGXCPU, which says why; then SIGKILL
    limit(resource.RLIMIT_FSIZE, 0)
    limit(resource.RLIMIT_CORE, 0)
    os.chdir("/")
    drop_ambient()
    if uid >= 0:
        with contextlib.suppress(PermissionError):  # a container without CAP_SETUID
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
    os.execv(command[0], command)  # noqa: S606  that is what it is for


def drop_ambient() -> None:
    """Keep from the program what a service was given for itself alone, such as CAP_NET_RAW; capabilities(7)."""
    with open("/proc/self/status", "rb") as file:  # noqa: PTH123  pathlib would double the start-up time
        held = next((line for line in file if line.startswith(b"CapAmb:")), b"CapAmb: 0")
    if int(held.split()[1], 16):
        import ctypes

        ctypes.CDLL(None).prctl(47, 4, 0, 0, 0)  # PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL


def limit(what: int, value: int, last: int | None = None) -> None:
    """Set a limit for good, and the last one that follows it; limits that are lower already stay."""
    last = value if last is None else last
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        value, last = min(value, hard), min(last, hard)
    resource.setrlimit(what, (value, last))


if __name__ == "__main__":
    _memory, _seconds, _uid, _gid = map(int, sys.argv[1:5])
    become(_memory, _seconds, _uid, _gid, sys.argv[5:])
