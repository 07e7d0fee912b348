"""`vonggac check`: is everything in order; each finding says what to do."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import click
import orjson

from vonggac import __version__, shelf
from vonggac.cli import Context
from vonggac.cli.packs import active
from vonggac.cli.show import safe, table, wants_json
from vonggac.cli.unit import FILE as UNITS
from vonggac.i18n import _, later
from vonggac.people.units import saved
from vonggac.ports import DetectorConfig
from vonggac.reading.source import display
from vonggac.settings import shown

_FLOOR: Final = 2 << 30  # bytes free under the data folder
_ALARM: Final = 0.15
_MARKS: Final = {"ok": "green", "warn": "yellow", "fail": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `do` is empty when it is in order."""

    what: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    do: str = ""


@click.command(help=_("Look at settings, rules, programs, disk and installed files; each finding says what to do."),
               epilog="vonggac check --json")  # fmt: skip
@click.pass_obj
def check(context: Context) -> int:
    """Print a finding a line; 1 when one of them is a fault."""
    findings = [
        one for look in (_settings, _data, _rules, _units, _programs, _libraries, _installed) for one in look(context)
    ]
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
    folder, name = context.data, display(str(context.data))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        usage = shutil.disk_usage(folder)
    except OSError as error:
        yield Finding("data", "fail", f"{name}: {error.strerror}", _("name a folder of your own with --data"))
        return
    if not os.access(folder, os.W_OK):
        yield Finding("data", "fail", name, _("let this user write there, or name another folder with --data"))
        return
    free = usage.free / usage.total
    detail = _("{folder}: {size} GiB free ({share})").format(folder=name, size=usage.free >> 30, share=f"{free:.0%}")
    if usage.free < _FLOOR:
        yield Finding("disk", "fail", detail, _("free at least 2 GiB"))
    elif free < _ALARM:
        yield Finding("disk", "warn", detail, _("less than 15 percent is free: plan for more room"))
    else:
        yield Finding("disk", "ok", detail)


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
        state: Literal["ok", "warn"] = "warn" if built.refused else "ok"
        yield Finding(
            f"rules: {name}", state, safe(detail), _("vonggac rules check shows each") if built.refused else ""
        )


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


#: what findings are about, for the catalogue; JSON keeps the English
_NAMES: Final = (
    later("settings"),
    later("version"),
    later("data"),
    later("disk"),
    later("rules"),
    later("units"),
    later("installed files"),
)
