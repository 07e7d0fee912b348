"""`vonggac check`: is everything in order; each finding says what to do."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import orjson

from vonggac import __version__, shelf
from vonggac.cli import Context
from vonggac.cli import _findings_machine as machine
from vonggac.cli import _findings_net as net
from vonggac.cli import _findings_state as state
from vonggac.cli._findings import Finding, State
from vonggac.cli.packs import active
from vonggac.cli.show import safe, table, wants_json
from vonggac.cli.unit import FILE as UNITS
from vonggac.i18n import _, later
from vonggac.intake.syslog_udp import BUFFER
from vonggac.people.units import saved
from vonggac.ports import DetectorConfig
from vonggac.reading.source import display
from vonggac.settings import shown

_MARKS: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@click.command(
    help=_("Look at settings, rules, disk, clock, ports, the service and its state; each finding says what to do."),
    epilog="vonggac check --json",
)
@click.option("--deep", is_flag=True, help=_("read all of the log and the store, and compare with what was written"))
@click.pass_obj
def check(context: Context, *, deep: bool) -> int:
    """Print a finding a line; 1 when one of them is a fault."""
    findings = [one for look in _LOOKS for one in look(context)]
    if any(one.what == "data" for one in findings):  # without a state folder there is nothing more to look at
        findings += _installed(context)
    else:
        findings += [*_machine(context), *_state(context, deep=deep), *_installed(context)]
    if wants_json(context):
        for one in findings:
            click.echo(orjson.dumps(asdict(one)))
    else:
        rows = [[one.state, _(one.what), one.detail, one.do] for one in findings]
        table((_("state"), _("what"), _("detail"), _("what to do")), rows, [_MARKS[one.state] for one in findings])
    return int(any(one.state == "fail" for one in findings))


def _settings(context: Context) -> Iterator[Finding]:
    yield Finding("settings", "ok", _("{count} keys").format(count=len(shown(context.settings))))
    yield Finding("version", "ok", f"vonggac {__version__}, Python {sys.version.split()[0]}")


def _data(context: Context) -> Iterator[Finding]:
    """Make the state folder, as every command does; a finding only when it cannot be used."""
    folder, name = context.data, display(str(context.data))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        os.statvfs(folder)
    except OSError as error:
        yield Finding("data", "fail", f"{name}: {error.strerror}", _("name a folder of your own with --data"))
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("data", "fail", name, _("let this user write there, or name another folder with --data"))


def _machine(context: Context) -> Iterator[Finding]:
    settings, data = context.settings, context.data
    roles = state.running(data)
    yield from machine.versions(data / "store")
    for folder in state.folders(data):
        yield machine.disk(folder, int(settings.log.floor_gb * (1 << 30)))
    yield machine.clock(datetime.now(UTC), synchronised=machine.synchronised(), newest=state.newest(settings))
    yield from net.intakes(settings)
    yield from net.ports(settings, roles)
    if settings.syslog.listen:
        yield from machine.buffer(BUFFER, machine.receive_limit(), mighty=machine.may_pass_limits())
    yield from net.certificates(settings, time.time())
    given = click.get_current_context().find_root().meta.get("vonggac", {})
    yield from net.secrets(settings, os.environ, given.get("config_file"))
    yield from net.interfaces(settings, roles)
    yield from net.followed(settings)


def _state(context: Context, *, deep: bool) -> Iterator[Finding]:
    settings, data = context.settings, context.data
    roles = state.running(data)
    yield from state.rights(data)
    yield from state.service(data, roles)
    yield from state.log(settings, roles, deep=deep)
    yield from state.store(settings, datetime.now(UTC), deep=deep)
    yield from state.health(data)
    yield from state.inbox(settings)


def _rules(context: Context) -> Iterator[Finding]:
    try:
        packs = active(context.data, context.settings.rules.packs, builtin=True, only=False)
    except (OSError, ValueError) as error:
        yield Finding("rules", "fail", str(error), _("mend rules.packs, or add the pack again"))
        return
    config = DetectorConfig(packs=packs, cache=context.data / "cache", expand=context.settings.rules.expand)
    for name in shelf.names("detectors"):
        built = shelf.detector(name).build(config)
        detail = _("{loaded} loaded, {refused} refused").format(loaded=built.loaded, refused=len(built.refused))
        if built.refused:
            first = built.refused[0]
            detail += f"; {first.path}:{first.line}: {first.reason}"
        how: State = "warn" if built.refused else "ok"
        yield Finding(f"rules: {name}", how, safe(detail), _("vonggac rules check shows each") if built.refused else "")


def _units(context: Context) -> Iterator[Finding]:
    try:
        count = len(saved(context.data / UNITS))
    except (OSError, ValueError) as error:
        yield Finding("units", "fail", str(error), _("import the units again: vonggac unit import FILE.csv"))
        return
    todo = "" if count else _("without it every event is of the unit `default`: vonggac unit import FILE.csv")
    yield Finding("units", "ok", _("{count} units").format(count=count), todo)


def _programs(context: Context) -> Iterator[Finding]:
    for name, why, package in (
        ("tshark", _("packet captures"), "tshark"),
        ("journalctl", _("the journal of this machine"), "systemd"),
    ):
        path = shutil.which(name)
        if path:
            yield Finding(name, "ok", path)
        else:
            todo = _("needed for {why}: apt-get install {package}").format(why=why, package=package)
            yield Finding(name, "warn", _("not there"), todo)


def _libraries(context: Context) -> Iterator[Finding]:
    if importlib.util.find_spec("crc32c") is None:
        yield Finding("crc32c", "warn", _("not there"), _("Kafka is seven times slower without: pip install crc32c"))


def _installed(context: Context) -> Iterator[Finding]:
    """Compare the installed files with the wheel's RECORD: another package may have put its own over ours."""
    distribution = importlib.metadata.distribution("vonggac")
    changed, seen = [], 0
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file)))
        if file.hash is None or file.suffix == ".pth" or path.name.startswith("_editable"):
            continue
        seen += 1
        try:
            digest = hashlib.new(file.hash.mode, path.read_bytes()).digest()
        except OSError:
            changed.append(str(file))
            continue
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value:
            changed.append(str(file))
    home = Path(__file__).parents[2]
    for name in ("collectors", "detectors", "connectors", "rules", "playbooks", "drills"):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None or Path(found.origin).parent.parent != home:
            changed.append(f"{name} ({found.origin if found else None})")
    if changed:
        todo = _("install Vọng Gác in a virtual environment of its own, again")
        yield Finding("installed files", "fail", _("not ours: {files}").format(files=", ".join(changed[:10])), todo)
    else:
        yield Finding("installed files", "ok", _("{count} as delivered").format(count=seen))


_LOOKS: Final = (_settings, _data, _rules, _units, _programs, _libraries)

#: what findings are about, for the catalogue; JSON keeps the English
_NAMES: Final = (
    later("settings"),
    later("version"),
    later("data"),
    later("rules"),
    later("units"),
    later("installed files"),
    *machine.NAMES,
    *net.NAMES,
    *state.NAMES,
)
