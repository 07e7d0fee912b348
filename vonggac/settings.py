"""Settings: TOML and environment into typed values; an unknown key is an error that lists the known ones."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_type_hints

import msgspec

#: Not settings: where the settings are, and what the tests read.
_OTHERS: Final = ("VONGGAC_CONFIG", "VONGGAC_TEST_DATA")
#: A key with one of these endings is shown as *** by `config show`.
_SECRET: Final = ("password", "secret", "token", "key")
#: Lists that an environment variable gives with `:` between.
_LISTS: Final = ("rules.packs", "follow.paths", "capture.interfaces")
#: Tables whose keys are the user's own, each with an example.
_FREE: Final = {
    "rules.expand": '{ Administrators = ["admin"] }',
    "follow.units": '{ "/var/log/nginx/*.log" = "so-yte" }',
}


class SettingsError(ValueError):
    """A setting that cannot be used: the message names the key, where it stands and what would be right."""


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[rules]`."""

    packs: tuple[str, ...] = ()  # paths or names of packs to run besides our own and those of `rules add`
    expand: dict[str, tuple[str, ...]] = {}  # Sigma's %placeholders%: name = ["value", …]


class Scan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[scan]`."""

    workers: Annotated[int, msgspec.Meta(ge=0, le=256)] = 0  # 0 = one a core
    zone: str = "Asia/Ho_Chi_Minh"  # of times that carry none
    tshark_seconds: Annotated[float, msgspec.Meta(gt=0)] = 600.0  # time limit, a capture
    unpack_ratio: Annotated[int, msgspec.Meta(ge=2)] = 250  # above it, past 256 MiB, an archive is a bomb


class Log(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[log]`: the event log between the roles of `run`."""

    kind: Literal["embedded"] = "embedded"
    keep_hours: Annotated[float, msgspec.Meta(gt=0)] = 72.0  # what every required role has read is kept so long
    keep_gb: Annotated[float, msgspec.Meta(gt=0)] = 20.0  # or until the log is larger than this
    floor_gb: Annotated[float, msgspec.Meta(ge=0)] = 2.0  # free disk below which nothing is taken in; never below 5 %


class Store(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[store]`: searchable events and alerts."""

    kind: Literal["embedded"] = "embedded"
    keep_days: Annotated[int, msgspec.Meta(ge=1)] = 400  # below 365 needs `short_retention`
    short_retention: bool = False  # yes: less than the 12 months that NĐ 333 asks for is meant
    query_memory_mb: Annotated[int, msgspec.Meta(ge=64)] = 256  # of the query process of `hunt`
    query_seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0  # of one question
    writers: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1  # processes that write while there is much to save


class Console(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[console]`: HTTP for people and for monitoring."""

    listen: str = "127.0.0.1:8480"  # /metrics, /healthz, /readyz


class SyslogTls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[syslog.tls]`: RFC 5425."""

    listen: str = ""  # such as 0.0.0.0:6514; empty = off
    cert_file: str = ""  # PEM, our certificate and its chain
    key_file: str = ""  # PEM
    ca_file: str = ""  # PEM: whose client certificates are taken; empty = none is asked for


class Syslog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[syslog]`."""

    listen: str = "127.0.0.1:5514"  # UDP and TCP; empty = off
    tls: SyslogTls = SyslogTls()
    zone: str = "Asia/Ho_Chi_Minh"  # of times that carry none
    unit: str = ""  # of every message; empty = the table of `unit import` says
    connections: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1_000


class Intake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[intake]`: HTTP intake of NDJSON and `_bulk` bodies."""

    listen: str = ""  # such as 127.0.0.1:8481; empty = off
    token: str = ""  # at least 16 characters; VONGGAC_INTAKE__TOKEN_FILE names a file that holds it
    max_mb: Annotated[int, msgspec.Meta(ge=1, le=1_024)] = 32  # a body, after decompression
    unit: str = ""
    cert_file: str = ""  # PEM: with both, HTTPS
    key_file: str = ""


class Inbox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[inbox]`: the folder `<data>/inbox/`; a sub-folder's name is a unit."""

    keep_days: Annotated[int, msgspec.Meta(ge=0)] = 30  # read files wait so long in `.done/`


class Follow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[follow]`: files that others write, read as they grow."""

    paths: tuple[str, ...] = ()  # files, folders or patterns: "/var/log/nginx/*.log"
    units: dict[str, str] = {}  # one of the paths = unit
    zone: str = "Asia/Ho_Chi_Minh"
    from_start: bool = True  # a file seen for the first time is read from its start, not from its end


class Journald(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[journald]`: the journal of this machine."""

    follow: bool = False
    unit: str = ""


class Capture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[capture]`: packets of this machine's interfaces, as flows, DNS, HTTP and TLS events."""

    interfaces: tuple[str, ...] = ()  # needs CAP_NET_RAW
    filter: str = ""  # BPF, as tcpdump writes it
    unit: str = ""


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[health]`: when a source counts as ill."""

    silence_minutes: Annotated[float, msgspec.Meta(gt=0)] = 15.0  # at least; its own past gives a rare source longer
    collapse: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.1  # of its usual rate
    failures: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.2  # share of records that cannot be read
    clock_seconds: Annotated[float, msgspec.Meta(gt=0)] = 300.0  # its clock against ours


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[run]`."""

    detect_workers: Annotated[int, msgspec.Meta(ge=0, le=64)] = 0  # 0 = half the cores
    drill: str = ""  # labels.drill on everything that comes in: an exercise


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. Each key `a.b` has the environment twin `VONGGAC_A__B`; `data` is `VONGGAC_DATA`."""

    data: str = ""
    lang: str = ""
    rules: Rules = Rules()
    scan: Scan = Scan()
    run: Run = Run()
    log: Log = Log()
    store: Store = Store()
    console: Console = Console()
    syslog: Syslog = Syslog()
    intake: Intake = Intake()
    inbox: Inbox = Inbox()
    follow: Follow = Follow()
    journald: Journald = Journald()
    capture: Capture = Capture()
    health: Health = Health()

    @property
    def folder(self) -> Path:
        """The state folder, absolute: `data`, else `$XDG_STATE_HOME/vonggac`, else `~/.local/state/vonggac`."""
        if self.data:
            return Path(self.data).expanduser().absolute()
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        return Path(state).expanduser().absolute() / "vonggac"


def load(file: str | None, environ: Mapping[str, str], overrides: Mapping[str, Any] | None = None) -> Settings:
    """Join defaults, the TOML file, the environment and the command line, the later ones first in right.

    Raises SettingsError for a file that cannot be read, an unknown key or a value of the wrong kind.
    """
    tree: dict[str, Any] = {}
    if file := file or environ.get("VONGGAC_CONFIG"):
        try:
            with Path(file).open("rb") as stream:
                tree = tomllib.load(stream)
        except OSError as error:
            msg = f"{file}: {error.strerror}: name a TOML file with --config or VONGGAC_CONFIG"
            raise SettingsError(msg) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            msg = f"{file}: not TOML: {error}"
            raise SettingsError(msg) from error
        _check(tree, file)
    known = keys()
    for name, value in environ.items():
        if not name.startswith("VONGGAC_") or name in _OTHERS:
            continue
        key = name.removeprefix("VONGGAC_").lower().replace("__", ".")
        if key.endswith("_file") and key.removesuffix("_file") in known:
            key, value = key.removesuffix("_file"), _secret(name, value)
        if key not in known:
            msg = f"environment variable {name}: no such setting; known: {', '.join(map(twin, known))}"
            raise SettingsError(msg)
        _set(tree, key, value)
    for key, given in (overrides or {}).items():
        _set(tree, key, given)
    try:
        settings = msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        msg = f"{file or 'environment'}: {error}"
        raise SettingsError(msg) from error
    for key in known:
        if _value(settings, key) == math.inf:  # no number of JSON, in which each role is told its settings
            msg = f"{file or 'environment'}: {key}: a finite number is wanted, not inf"
            raise SettingsError(msg)
    return settings


def keys() -> tuple[str, ...]:
    """List every key, such as `data` and `rules.packs`."""
    return tuple(_keys(Settings, ""))


def twin(key: str) -> str:
    """Name a key's environment variable."""
    return "VONGGAC_" + key.upper().replace(".", "__")


def shown(settings: Settings) -> dict[str, Any]:
    """Give what is in force, key by key, secrets masked."""
    found: dict[str, Any] = {}
    for key in keys():
        value = _value(settings, key)
        secret = key.endswith(_SECRET) and value
        found[key] = "***" if secret else msgspec.to_builtins(value)
    found["data"] = os.fsencode(settings.folder).decode("utf-8", "backslashreplace")
    return found


def units(settings: Settings) -> dict[str, str]:
    """Give the units that settings name, by key: `syslog.unit`, `follow.units: /var/log/nginx/*.log`."""
    found = {key: _value(settings, key) for key in keys() if key.endswith(".unit")}
    found |= {f"follow.units: {path}": unit for path, unit in settings.follow.units.items()}
    return {key: unit for key, unit in found.items() if unit}


def _value(settings: Settings, key: str) -> Any:
    """Give the value of a key such as `rules.packs`."""
    value: Any = settings
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _keys(of: type, prefix: str) -> list[str]:
    found: list[str] = []
    for name, hint in get_type_hints(of).items():
        section = isinstance(hint, type) and issubclass(hint, msgspec.Struct)
        found += _keys(hint, f"{prefix}{name}.") if section else [prefix + name]
    return found


def _check(tree: Mapping[str, Any], file: str) -> None:
    """Refuse keys that no section knows, before msgspec would name only the first without the known ones."""
    known = keys()
    for key in _flat(tree, ""):
        if key not in known and not key.startswith(tuple(f"{one}." for one in _FREE)):
            msg = f"{file}: key {key}: no such setting; known: {', '.join(known)}"
            raise SettingsError(msg)


def _flat(tree: Mapping[str, Any], prefix: str) -> list[str]:
    found: list[str] = []
    for name, value in tree.items():
        key = prefix + name
        section = isinstance(value, dict) and (value or any(one.startswith(f"{key}.") for one in keys()))
        found += _flat(value, f"{key}.") if section else [key]
    return found


def _set(tree: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        tree = tree.setdefault(part, {})
    if isinstance(value, str) and key in _LISTS:
        value = [one for one in value.split(os.pathsep) if one]
    if isinstance(value, str) and key in _FREE:
        try:
            value = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError as error:
            msg = f"{twin(key)}: an inline TOML table is wanted, such as {_FREE[key]}: {error}"
            raise SettingsError(msg) from error
    tree[last] = value


def _secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        msg = f"environment variable {name}: {path}: cannot be read: {why}"
        raise SettingsError(msg) from error
