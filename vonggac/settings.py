"""Settings: TOML and environment into typed values; an unknown key is an error that lists the known ones."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

import msgspec

#: Not settings: where the settings are, and what the tests read.
_OTHERS: Final = ("VONGGAC_CONFIG", "VONGGAC_TEST_DATA")
#: A key with one of these endings is shown as *** by `config show`.
_SECRET: Final = ("password", "secret", "token", "key")


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


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. Each key `a.b` has the environment twin `VONGGAC_A__B`; `data` is `VONGGAC_DATA`."""

    data: str = ""
    lang: str = ""
    rules: Rules = Rules()
    scan: Scan = Scan()

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
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        msg = f"{file or 'environment'}: {error}"
        raise SettingsError(msg) from error


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
        value: Any = settings
        for part in key.split("."):
            value = getattr(value, part)
        secret = key.endswith(_SECRET) and value
        found[key] = "***" if secret else msgspec.to_builtins(value)
    found["data"] = os.fsencode(settings.folder).decode("utf-8", "backslashreplace")
    return found


def _keys(of: type, prefix: str) -> list[str]:
    found: list[str] = []
    for name, hint in get_type_hints(of).items():
        section = isinstance(hint, type) and issubclass(hint, msgspec.Struct)
        found += _keys(hint, f"{prefix}{name}.") if section else [prefix + name]
    return found


def _check(tree: Mapping[str, Any], file: str) -> None:
    """Refuse keys that no section knows, before msgspec would name only the first without the known ones."""
    known = keys()
    free = ("rules.expand",)  # a table whose keys are the user's own
    for key in _flat(tree, ""):
        if key not in known and not key.startswith(tuple(f"{one}." for one in free)):
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
    if isinstance(value, str) and key == "rules.packs":
        value = [one for one in value.split(os.pathsep) if one]
    if isinstance(value, str) and key == "rules.expand":
        try:
            value = tomllib.loads(f"x = {value}")["x"]
        except tomllib.TOMLDecodeError as error:
            msg = f'{twin(key)}: an inline TOML table is wanted, such as {{ Administrators = ["admin"] }}: {error}'
            raise SettingsError(msg) from error
    tree[last] = value


def _secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"environment variable {name}: {path}: cannot be read: {error}"
        raise SettingsError(msg) from error
