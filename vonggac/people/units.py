"""The unit tree and its table of hosts and networks: which unit an event belongs to."""

from __future__ import annotations

import csv
import io
import ipaddress
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from vonggac.event import fold

COLUMNS: Final = ("id", "name", "parent", "hosts", "networks")
DEFAULT: Final = "default"
_REMEMBERED: Final = 50_000  # combinations of host and addresses
_KEY_LIMIT: Final = 1_024  # characters
_SAID: Final = (("host", "name"), ("host", "ip"), ("source", "ip"), ("destination", "ip"))
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Unit:
    """A province, department or commune: its hosts (`pc1`, `*.so-yte.example`) and networks (CIDR)."""

    id: str
    name: str
    parent: str | None
    hosts: tuple[str, ...]
    networks: tuple[str, ...]


def read_csv(path: Path) -> list[Unit]:
    """Read `id,name,parent,hosts,networks` (hosts and networks parted by `;`).

    Raises ValueError naming file, line and what would be right; OSError when the file cannot be read.
    """
    units: list[Unit] = []
    with io.StringIO(_text(path), newline="") as file:
        rows = csv.DictReader(file, strict=True)
        if tuple(rows.fieldnames or ()) != COLUMNS:
            msg = f"{path}: line 1: the columns are {','.join(rows.fieldnames or ())}; wanted: {','.join(COLUMNS)}"
            raise ValueError(msg)
        try:
            units.extend(_unit(row, f"{path}: line {rows.line_num}") for row in rows)
        except csv.Error as error:
            msg = f"{path}: line {rows.line_num}: {error}"
            raise ValueError(msg) from error
    _check(units, str(path))
    return units


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = f"{path}: line {line}: not UTF-8; in Excel save it as `CSV UTF-8`"
        raise ValueError(msg) from error


def save(units: Sequence[Unit], file: Path) -> None:
    """Replace the table under the data folder, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_bytes(orjson.dumps(list(units), option=orjson.OPT_INDENT_2))
    with new.open("rb") as written:
        os.fsync(written.fileno())
    new.replace(file)


def saved(file: Path) -> list[Unit]:
    """Read the table under the data folder; none yet = no units. Raises ValueError when it is damaged."""
    try:
        rows = orjson.loads(file.read_bytes())
        return [Unit(**{**row, "hosts": tuple(row["hosts"]), "networks": tuple(row["networks"])}) for row in rows]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError) as error:
        msg = f"{file}: damaged: {error}: import the units again with `vonggac unit import FILE.csv`"
        raise ValueError(msg) from error


def below(units: Iterable[Unit], roots: Iterable[str]) -> frozenset[str]:
    """Give these units and all below them; a root that is not in the table stands for itself."""
    children: dict[str | None, list[str]] = {}
    for unit in units:
        children.setdefault(unit.parent, []).append(unit.id)
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        if (one := waiting.pop()) not in found:
            found.add(one)
            waiting += children.get(one, ())
    return frozenset(found)


class Units:
    """Finds the unit of an event: by host name, else by the longest network that holds its addresses."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._hosts: dict[str, str] = {}
        self._suffixes: list[tuple[str, str]] = []
        networks = []
        for unit in units:
            for host in map(fold, unit.hosts):
                if host.startswith("*."):
                    self._suffixes.append((host[1:], unit.id))
                else:
                    self._hosts[host] = unit.id
            networks += [(ipaddress.ip_network(one, strict=False), unit.id) for one in unit.networks]
        self._suffixes.sort(key=lambda pair: -len(pair[0]))
        self._networks = sorted(networks, key=lambda pair: -pair[0].prefixlen)
        self._known: dict[tuple[str | None, ...], str] = {}

    def of(self, doc: Mapping[str, Any]) -> str:
        """Give the leaf unit's id of an event's document; `default` when the table does not say."""
        if not (self._hosts or self._suffixes or self._networks):
            return DEFAULT
        try:
            host = doc.get("host", _NOTHING)
            key: tuple[str | None, ...] = (
                host.get("name"),
                _first(host.get("ip")),
                doc.get("source", _NOTHING).get("ip"),
                doc.get("destination", _NOTHING).get("ip"),
            )
            unit = self._known.get(key)
        except (AttributeError, TypeError):  # an object where text belongs: whoever sends decides
            key = tuple(_text_at(doc, *path) for path in _SAID)
            unit = self._known.get(key)
        if unit is None:
            unit = self._find(*key)
            if sum(len(one) for one in key if isinstance(one, str)) <= _KEY_LIMIT:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                self._known[key] = unit
        return unit

    def _find(self, name: str | None, *addresses: str | None) -> str:
        if isinstance(name, str):
            folded = fold(name)
            if (unit := self._hosts.get(folded)) or (unit := self._hosts.get(folded.split(".", 1)[0])):
                return unit
            for suffix, unit in self._suffixes:
                if folded.endswith(suffix):
                    return unit
        for text in addresses:
            try:
                address = ipaddress.ip_address(text or "")
            except ValueError:
                continue
            for network, unit in self._networks:
                if address in network:
                    return unit
        return DEFAULT


def _text_at(doc: Mapping[str, Any], top: str, name: str) -> str | None:
    part = doc.get(top)
    return _first(part.get(name)) if isinstance(part, dict) else None


def _first(value: Any) -> str | None:
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, str) else None


def _unit(row: Mapping[str, Any], place: str) -> Unit:
    if None in row or None in row.values():
        msg = f"{place}: wrong number of cells; wanted {len(COLUMNS)}: {','.join(COLUMNS)}"
        raise ValueError(msg)
    hosts, networks = (tuple(part.strip() for part in row[name].split(";") if part.strip()) for name in COLUMNS[3:])
    for network in networks:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError as error:
            msg = f"{place}: networks: {network!r} is no network; write one like 10.1.0.0/16"
            raise ValueError(msg) from error
    if not row["id"].strip():
        msg = f"{place}: id is empty; each unit needs one, such as so-yte"
        raise ValueError(msg)
    return Unit(row["id"].strip(), row["name"].strip(), row["parent"].strip() or None, hosts, networks)


def _check(units: Sequence[Unit], path: str) -> None:
    """Refuse a table that is no tree, or that gives one host or network to two units."""
    parents = {unit.id: unit.parent for unit in units}
    if len(parents) < len(units):
        ids = [unit.id for unit in units]
        msg = f"{path}: unit {next(one for one in ids if ids.count(one) > 1)!r} stands twice"
        raise ValueError(msg)
    for unit in units:
        way, at = {unit.id}, unit.parent
        while at is not None:
            if at not in parents:
                msg = f"{path}: unit {unit.id!r}: parent {at!r} is not in the table"
                raise ValueError(msg)
            if at in way:
                msg = f"{path}: unit {unit.id!r}: its parents go round in a circle"
                raise ValueError(msg)
            way.add(at)
            at = parents[at]
    owners: dict[str, str] = {}
    for unit in units:
        for thing in (*map(fold, unit.hosts), *unit.networks):
            if owners.setdefault(thing, unit.id) != unit.id:
                msg = f"{path}: {thing} belongs to two units: {owners[thing]!r} and {unit.id!r}"
                raise ValueError(msg)
