"""What `check` says of the machine: versions of what stores things, disk, clock, the receive buffer of UDP."""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from vonggac.cli._findings import Finding, span
from vonggac.i18n import _, later
from vonggac.reading.source import display
from vonggac.reading.times import zone

#: with these SQLite may lose a transaction when the WAL is reset beside a checkpoint (sqlite.org/wal.html)
_WAL_BUG: Final = ((3, 7, 0), (3, 51, 2))
_MADE: Final = datetime(2026, 1, 1, tzinfo=UTC)  # no clock is before this program
_LATER: Final = datetime(2100, 1, 1, tzinfo=UTC)
_SET_BACK: Final = timedelta(seconds=5)
_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
_NET_ADMIN: Final = 12  # capabilities(7)
_SHARES: Final = (0.05, 0.10, 0.15)
_INODES: Final = 0.02

NAMES: Final = (later("SQLite"), later("DuckDB"), later("disk"), later("clock"), later("UDP buffer"))


def versions(store: Path) -> Iterator[Finding]:
    """Look at the two libraries that hold and search what is stored; `store` is the store's folder."""
    version: str = importlib.import_module("connectors.embedded_store").SQLITE_VERSION
    yield sqlite(version, write_ahead=_is_write_ahead(store / "catalogue.sqlite"))
    try:
        yield Finding("DuckDB", "ok", importlib.metadata.version("duckdb"))
    except importlib.metadata.PackageNotFoundError:
        yield Finding("DuckDB", "fail", _("not there"), _("install Vọng Gác again, with its locked dependencies"))


def sqlite(version: str, *, write_ahead: bool) -> Finding:
    """Judge a version of SQLite; `write_ahead`: the store's catalogue is kept in WAL mode."""
    number = tuple(int(one) for one in version.split("."))
    if not _WAL_BUG[0] <= number <= _WAL_BUG[1]:
        return Finding("SQLite", "ok", version)
    detail = _("{version}, which may lose a transaction in WAL mode").format(version=version)
    todo = _("install the package pysqlite3, 3.51.3 or newer, into our environment")
    if write_ahead:
        return Finding("SQLite", "fail", detail + "; " + _("the store's catalogue is in WAL mode"), todo)
    return Finding("SQLite", "warn", detail + "; " + _("a slower journal is used instead"), todo)


def _is_write_ahead(path: Path) -> bool:
    """Read the file's header: bytes 18 and 19 are 2 in WAL mode (sqlite.org/fileformat.html, 1.3.3)."""
    try:
        with path.open("rb") as file:
            return file.read(20)[18:] == b"\2\2"
    except OSError:
        return False


def disk(folder: Path, floor: int, stats: os.statvfs_result | None = None) -> Finding:
    """Judge the room that a folder has, by the marks at which the service changes what it does.

    Below `floor` bytes, as below a share, collectors wait.
    """
    stats = stats or os.statvfs(folder)
    free, total = stats.f_bavail * stats.f_frsize, max(1, stats.f_blocks * stats.f_frsize)
    share = free / total
    detail = _("{folder}: {size} GiB free ({share})").format(
        folder=display(str(folder)), size=free >> 30, share=f"{share:.0%}"
    )
    if free < floor or share < _SHARES[0]:
        todo = _("nothing is collected below 5 percent or {size} GiB (log.floor_gb): free some, or add disk").format(
            size=f"{floor / (1 << 30):g}"
        )
        return Finding("disk", "fail", detail, todo)
    if stats.f_files and stats.f_favail < _INODES * stats.f_files:
        detail = _("{detail}; {count} more files fit").format(detail=detail, count=stats.f_favail)
        return Finding("disk", "fail", detail, _("delete small files: the file system has hardly any inodes left"))
    if share < _SHARES[1]:
        todo = _("below 10 percent what is older than 12 months is deleted early: add disk")
        return Finding("disk", "warn", detail, todo)
    if share < _SHARES[2]:
        return Finding("disk", "warn", detail, _("less than 15 percent is free: plan for more room"))
    return Finding("disk", "ok", detail)


def clock(now: datetime, *, synchronised: bool | None, newest: datetime | None) -> Finding:
    """Judge the clock. `newest`: the newest append time in the log; `synchronised`: None = it cannot be told."""
    shown = now.astimezone(zone("Asia/Ho_Chi_Minh")).isoformat(timespec="seconds")
    if not _MADE <= now < _LATER:
        todo = _("set the clock: every event would get a wrong time")
        return Finding("clock", "fail", _("{time} cannot be").format(time=shown), todo)
    if newest is not None and newest - now > _SET_BACK:
        behind = span((newest - now).total_seconds())
        detail = _("{time}: {span} behind the newest record: it was set back").format(time=shown, span=behind)
        todo = _("set it right; until then what comes in bears the time of the newest record")
        return Finding("clock", "warn", detail, todo)
    if synchronised is False:
        todo = _("let NTP set it: apt-get install systemd-timesyncd, or name the province's server")
        return Finding("clock", "warn", _("{time}, not synchronised").format(time=shown), todo)
    return Finding("clock", "ok", shown)


def synchronised() -> bool | None:
    """Ask the kernel whether something keeps its clock right (adjtimex(2) changes nothing when `modes` is 0)."""
    timex = ctypes.create_string_buffer(1024)  # struct timex has 208 bytes
    state = ctypes.CDLL(None).adjtimex(timex)
    return None if state < 0 else state != _TIME_ERROR


def buffer(wanted: int, limit: int | None, *, mighty: bool) -> Iterator[Finding]:
    """Judge how much of a burst of datagrams the kernel keeps for us; `mighty`: we may pass its limit."""
    if limit is None or mighty:
        return
    if limit >= wanted:
        yield Finding("UDP buffer", "ok", _("{size} KiB").format(size=limit >> 10))
        return
    detail = _("{size} KiB instead of {wanted}: a burst of syslog by UDP may be lost").format(
        size=limit >> 10, wanted=wanted >> 10
    )
    yield Finding("UDP buffer", "warn", detail, f"sysctl -w net.core.rmem_max={wanted}")


def receive_limit(path: Path = Path("/proc/sys/net/core/rmem_max")) -> int | None:
    """Read the kernel's limit, bytes; None where a container does not show it."""
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


def may(capability: int) -> bool:
    """Say whether this process has a capability in force (capabilities(7))."""
    for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> capability & 1)
    return False


def may_pass_limits() -> bool:
    """Say whether SO_RCVBUFFORCE works for us."""
    return may(_NET_ADMIN)
