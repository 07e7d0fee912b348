"""What `check` says of the state folder: the service that works in it, log, store, source health, rights, inbox."""

from __future__ import annotations

import fcntl
import importlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from vonggac.cli._findings import Finding, State, span
from vonggac.cli._service import REQUIRED, ROLES, YEAR, event_log, event_store
from vonggac.cli.unit import FILE as UNITS
from vonggac.i18n import _, later
from vonggac.logport import Lag
from vonggac.people.units import DEFAULT, saved
from vonggac.pipeline import pages as shared
from vonggac.reading.source import display
from vonggac.reading.times import zone
from vonggac.settings import Settings, units

_STALE_S: Final = 10.0  # without a heartbeat
_LATE_S: Final = (60.0, 900.0)  # age of what a group has not read: a warning, a fault
_NAMED: Final = 5
_LOOK_S: Final = 0.7  # at the log's frames
_GIB: Final = 1 << 30
_DAY_US: Final = 86_400 * 10**6
_COUNTED: Final = 1_000
_TROUBLES: Final = ("intake_dropped_total{", "intake_dropped_kernel_total{", "intake_ended_total{")

NAMES: Final = (
    later("service"),
    later("log"),
    later("store"),
    later("retention"),
    later("source health"),
    later("rights"),
    later("inbox"),
)


def running(data: Path) -> frozenset[str]:
    """Give the roles whose lock somebody holds (`vonggac.cli.run.locked`)."""
    return frozenset(role for role in ROLES if _held(data / "run" / f"{role}-0.lock"))


def _held(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


# ----------------------------------------------------------------------- service


def service(data: Path, roles: frozenset[str]) -> Iterator[Finding]:
    """Say whether the service runs, and what each role tells of itself; `roles` are those that run."""
    found = shared.pages(data)
    try:
        if not roles:
            yield _still(found)
            return
        if missing := [role for role in ROLES if role not in roles]:
            todo = _("start the others too: `vonggac run --role …`, or `vonggac run` for all of them")
            yield Finding("service", "warn", _("not running: {roles}").format(roles=", ".join(missing)), todo)
        own = found.get("supervisor-0")
        faults = [
            *_restarted(own),
            *(one for name, page in found.items() if page is not own for one in _role(name, page)),
        ]
        yield from faults
        if not faults:
            ages = ", ".join(f"{name} ({page.pid})" for name, page in found.items())
            yield Finding("service", "ok", ages)
    finally:
        for page in found.values():
            page.close()


def _still(found: Mapping[str, shared.Page]) -> Finding:
    own = found.get("supervisor-0")
    if own is None:
        return Finding("service", "ok", _("not running"), _("`vonggac run` starts it"))
    if own.state is shared.State.STOPPED:
        return Finding("service", "ok", _("stopped"), _("`vonggac run` starts it"))
    todo = _("start it again; its log (journalctl -u vonggac) says why it ended")
    return Finding("service", "warn", _("it ended without being told to"), todo)


def _restarted(own: shared.Page | None) -> Iterator[Finding]:
    figures = own.shown()[0] if own else {}
    again = [f"{name.split(chr(34))[1]} ×{int(count)}" for name, count in figures.items()
             if name.startswith("restarts_total{") and count]  # fmt: skip
    if again:
        detail = _("started again since the start: {roles}").format(roles=", ".join(again))
        yield Finding("service", "warn", detail, _("its log (journalctl -u vonggac) names each reason"))


def _role(name: str, page: shared.Page) -> Iterator[Finding]:
    what = f"service: {name}"
    if page.state is not shared.State.READY:
        detail = _("{state}, for {span}").format(state=page.state.name.lower(), span=span(page.age_s))
        yield Finding(what, "warn", detail, _("wait a moment and look again; then see its log"))
    elif page.age_s > _STALE_S:
        detail = _("no sign of life for {span}").format(span=span(page.age_s))
        yield Finding(what, "warn", detail, _("after a minute it is ended and started again; see its log"))
    figures = page.shown()[0]
    if figures.get("full"):
        yield Finding(what, "fail", _("waits: the disk is at its floor, or refuses"), _("free some room on the disk"))
    if lost := figures.get("lost_total"):
        detail = _("{count} records lost to damage").format(count=int(lost))
        yield Finding(what, "warn", detail, _("see the finding on the log, and look after the disk"))
    for key, count in figures.items():
        if not (count and key.startswith(_TROUBLES)):
            continue
        intake = key.split('"')[1]
        if key.startswith("intake_ended"):
            detail = _("{intake} ended {count} times").format(intake=intake, count=int(count))
            yield Finding(what, "warn", detail, _("its log names the reason"))
        else:
            detail = _("{intake}: {count} lost since the start").format(intake=intake, count=int(count))
            yield Finding(what, "warn", detail, _("send by TCP or TLS, or enlarge net.core.rmem_max"))


# --------------------------------------------------------------------------- log


def log(settings: Settings, roles: frozenset[str], *, deep: bool) -> Iterator[Finding]:
    """Say how far each group is, and what of the log is damaged."""
    if not (settings.folder / "log").is_dir():
        return
    try:
        opened = event_log(settings)
        for group in sorted({group for groups in REQUIRED.values() for group in groups}):
            yield from lag(group, opened.lag(group), bool(roles))
        looked = opened.look_over(float("inf") if deep else _LOOK_S, deep=deep)
    except (OSError, ValueError) as error:
        yield Finding("log", "fail", str(error), _("let this user read it; a newer format needs a newer Vọng Gác"))
        return
    if looked.damage:
        first = "; ".join(map(str, looked.damage[:_NAMED]))
        detail = _("{count} places damaged: {first}").format(count=len(looked.damage), first=first)
        todo = _("they are skipped; look after the disk (smartctl -a, dmesg); a backup may still have them")
        yield Finding("log", "fail", detail, todo)
    elif looked.segments:
        detail = _("{looked} of {count} segments looked at, none damaged")
        yield Finding("log", "ok", detail.format(looked=looked.looked_at, count=looked.segments))


def lag(group: str, parts: Mapping[Any, Lag], running: bool) -> Iterator[Finding]:
    """Judge how far a group is."""
    waiting = sum(max(0, one.end - one.committed) for one in parts.values())
    oldest = max((one.oldest_s for one in parts.values() if one.oldest_s is not None), default=0.0)
    what = f"log: {group}"
    if not parts:
        return
    if not waiting or oldest < _LATE_S[0]:
        yield Finding(what, "ok", _("{count} records wait").format(count=waiting))
        return
    detail = _("{count} records wait, the oldest for {span}").format(count=waiting, span=span(oldest))
    if not running:
        yield Finding(what, "warn", detail, _("start the service: it goes on where it stopped"))
        return
    state: State = "fail" if oldest > _LATE_S[1] else "warn"
    yield Finding(what, state, detail, _("see the service's findings; a backlog after a stop goes by itself"))


# ------------------------------------------------------------------------- store


def store(settings: Settings, now: datetime, *, deep: bool) -> Iterator[Finding]:
    """Say what is searchable, what is damaged, how long it stays and whether the disk holds so much."""
    yield from keeping(settings)
    if not (settings.folder / "store" / "catalogue.sqlite").is_file():
        return
    try:
        opened = event_store(settings)
        damaged = opened.verify() if deep else opened.catalogue.damaged()
        sources, live = opened.sources(), opened.catalogue.live(damaged=True)
    except (OSError, ValueError, importlib.import_module("connectors.embedded_store").StateError) as error:
        yield Finding("store", "fail", str(error), _("let this user read it; a newer format needs a newer Vọng Gác"))
        return
    if damaged:
        rows = sum(one[1] for one in damaged)
        named = "; ".join(f"{one[0]}: {one[4]}" for one in damaged[:_NAMED])
        detail = _("{rows} events in {count} damaged files: {named}").format(rows=rows, count=len(damaged), named=named)
        todo = _("put them back from a backup (store/events/), then `vonggac check --deep`; look after the disk")
        yield Finding("store", "fail", detail, todo)
    if sources:
        detail = _("{rows} events of {count} sources, from {oldest} to {newest}").format(
            rows=sum(one.rows for one in sources),
            count=len(sources),
            oldest=_day(min(one.oldest for one in sources)),
            newest=_day(max(one.newest for one in sources)),
        )
        yield Finding("store", "ok", detail)
    if live:
        yield room(sum(one.size for one in live), min(one.appended_from for one in live), now, _free(settings.folder))


def keeping(settings: Settings) -> Iterator[Finding]:
    """Judge the settings of retention."""
    days = settings.store.keep_days
    if days >= YEAR:
        yield Finding("retention", "ok", _("{count} days").format(count=days))
    elif settings.store.short_retention:
        todo = _("NĐ 333 asks for 12 months: store.keep_days = 365 or more")
        yield Finding("retention", "warn", _("{count} days only").format(count=days), todo)
    else:
        todo = _("`run` refuses it: store.keep_days = 365 or more, or store.short_retention = true")
        yield Finding("retention", "fail", _("{count} days only").format(count=days), todo)


def room(size: int, began: int, now: datetime, free: int) -> Finding:
    """Say since when there are events (µs since 1970), and whether twelve months of them fit on the disk."""
    span_us = now.timestamp() * 1e6 - began
    detail = _("collected since {day}: {size} GiB").format(day=_day(began), size=f"{size / _GIB:.1f}")
    if span_us > 2 * _DAY_US:  # before, the first day says little
        year = size * YEAR * _DAY_US / span_us
        detail = _("{detail}, {year} GiB in 12 months").format(detail=detail, year=f"{year / _GIB:.0f}")
        if year > size + free:
            todo = _("12 months will not fit: add disk before it is full")
            return Finding("retention", "warn", detail, todo)
    return Finding("retention", "ok", detail)


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _day(micros: int) -> str:
    try:
        return f"{datetime.fromtimestamp(micros / 1e6, UTC).astimezone(zone('Asia/Ho_Chi_Minh')):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):  # an event may bear any time
        return "?"


def newest(settings: Settings) -> datetime | None:
    """Give the newest append time of log and store; None when there is none, or it cannot be read."""
    found = []
    try:
        if (settings.folder / "log").is_dir():
            found.append(event_log(settings).newest_append())
        if (settings.folder / "store" / "catalogue.sqlite").is_file():
            micros = event_store(settings).catalogue.newest_append()
            found.append(datetime.fromtimestamp(micros / 1e6, UTC) if micros else None)
    except (OSError, ValueError, importlib.import_module("connectors.embedded_store").StateError):
        pass  # the findings on log and store say so
    return max((one for one in found if one is not None), default=None)


# ----------------------------------------------------------------------- the rest


def health(data: Path) -> Iterator[Finding]:
    """Say whether the day rows of the sources are whole."""
    module = importlib.import_module("connectors.health_ledger")
    if not (data / module.NAME).is_file():
        return
    try:
        ledger = module.HealthLedger(data / module.NAME)
        wrong, (rows, _hash) = ledger.verify(), ledger.head()
    except (OSError, ValueError) as error:
        yield Finding("source health", "fail", str(error), _("put health.sqlite back from a backup"))
        return
    if wrong is not None:
        todo = _("somebody changed it: keep this file as evidence, compare it with a backup")
        yield Finding("source health", "fail", wrong, todo)
    else:
        yield Finding("source health", "ok", _("{count} day rows, whole").format(count=rows))


def rights(data: Path) -> Iterator[Finding]:
    """Say who else may read or change the state folder."""
    status = data.stat()
    mode, name = stat.S_IMODE(status.st_mode), display(str(data))
    detail = _("{folder}: mode {mode}").format(folder=name, mode=f"{mode:04o}")
    todo = f"chmod 0750 {name}"
    if mode & 0o022:
        yield Finding("rights", "fail", _("{detail}: others may change it").format(detail=detail), todo)
    elif mode & 0o007:
        yield Finding("rights", "warn", _("{detail}: everybody may read it").format(detail=detail), todo)
    elif os.geteuid() == 0 and status.st_uid == 0:
        todo = _("let a user of its own run the service: docker/systemd/vonggac.service")
        yield Finding("rights", "ok", _("{detail}, root's").format(detail=detail), todo)
    else:
        yield Finding("rights", "ok", detail)


def inbox(settings: Settings) -> Iterator[Finding]:
    """Compare the inbox's sub-folders and the settings with the table of units; count what could not be read."""
    folder = settings.folder / "inbox"
    try:
        known = {one.id for one in saved(settings.folder / UNITS)}
    except (OSError, ValueError):
        known = set()  # the finding on the units says so
    names: list[str] = []
    try:
        names = sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
    except FileNotFoundError:
        pass  # `run` makes it
    except OSError as error:
        detail = f"{display(str(error.filename or folder))}: {error.strerror}"
        yield Finding("inbox", "fail", detail, _("let this user write there, or name another folder with --data"))
    used = {
        **{f"inbox/{name}": name for name in names},
        **{f"{key} = {unit}": unit for key, unit in units(settings).items()},
    }
    strange = [what for what, unit in used.items() if unit not in known and unit != DEFAULT]
    if known and strange:
        detail = _("no unit of the table: {names}").format(names=display(", ".join(strange[:_NAMED])))
        todo = _("rename it, or add the unit: vonggac unit import FILE.csv")
        yield Finding("inbox", "warn", detail, todo)
    if failed := _count(folder / ".failed"):
        detail = _("{count} files in inbox/.failed could not be read, or not to the end").format(
            count=f"{failed}" if failed < _COUNTED else f"{_COUNTED}+"
        )
        todo = _("`vonggac scan FILE` says why; put them into inbox/ again when it is mended")
        yield Finding("inbox", "warn", detail, todo)


def _count(folder: Path) -> int:
    count = 0
    for _root, _folders, files in os.walk(folder):
        count += len(files)
        if count >= _COUNTED:
            break
    return count


def folders(data: Path) -> Collection[Path]:
    """Give the state folder, and log and store where they lie on a disk of their own."""
    found = {data.stat().st_dev: data}
    for name in ("log", "store"):
        if (data / name).is_dir():
            found.setdefault((data / name).stat().st_dev, data / name)
    return found.values()
