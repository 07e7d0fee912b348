"""`vonggac parse --conversation ID FILE` and `--packet N FILE`: the analyst's deep look into a capture."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any, Final, TextIO

import click
import orjson

from vonggac import shelf
from vonggac.cli.show import safe
from vonggac.event import Bad
from vonggac.i18n import _
from vonggac.ports import Source
from vonggac.reading import source as sources
from vonggac.reading.programs import Bounds
from vonggac.reading.walk import reason_of

_BOUNDS: Final = Bounds(seconds=600)
_SHOWN: Final = 300  # characters of a value on a terminal


def conversation(id: str, path: str, out: TextIO) -> int:
    """Write the packets of a conversation; `id` is a Community ID or `IP:PORT-IP:PORT`.

    Gives 0; 2 when there is nothing of it or the capture cannot be used; 3 when a part could not be read.
    """
    helper = importlib.import_module("collectors._conversation")

    def read(source: Source) -> int:
        count = bad = 0
        for packet in helper.packets(source, id, _BOUNDS):
            if isinstance(packet, Bad):
                bad += 1
                _complain(str(packet))
                continue
            count += 1
            _write(packet, out)
        if not count and not bad:
            _complain(_("{path}: no packet of conversation {id}").format(path=source.path, id=id))
        return 3 if count and bad else 0 if count else 2

    return _guarded(path, read)


def packet(number: int, path: str, out: TextIO) -> int:
    """Write packet `number` (from 1 on) layer by layer; 0, or 2 when it cannot be had."""
    helper = importlib.import_module("collectors._packet")

    def read(source: Source) -> int:
        _write(helper.packet(source, number, _BOUNDS), out)
        return 0

    return _guarded(path, read)


def _guarded(path: str, read: Callable[[Source], int]) -> int:
    """Open the capture; what makes it unusable is one line and status 2."""
    try:
        source = sources.plain(path)
        if not shelf.collector("pcap").claims(source.head):
            _complain(_("{path}: no packet capture (pcap, pcapng, snoop …)").format(path=source.path))
            return 2
        return read(source)
    except BrokenPipeError:
        raise
    except (*sources.READ_ERRORS, ValueError) as error:
        _complain(f"{sources.display(path)}: {reason_of(error)}")
        return 2


def _complain(line: str) -> None:
    click.echo(f"vonggac: {safe(line)}", err=True)


def _write(packet: dict[str, Any], out: TextIO) -> None:
    """Write a packet as one JSON line, or for a terminal."""
    if not out.isatty():
        out.write(orjson.dumps(packet).decode() + "\n")
        return
    about = packet.get("summary") or packet.get("protocols") or ""
    out.write(_clean(f"#{packet['number']}  {packet['time'] or ''}  {packet['length']} B  {about}") + "\n")
    for layer in packet["layers"]:
        out.write(f"  {_clean(layer['name'])}\n")
        for line in _lines(layer["fields"], 4):
            out.write(line + "\n")


def _lines(value: Any, indent: int) -> Iterator[str]:
    """Lay nested fields out, one a line."""
    for name, inner in value.items():
        for one in inner if isinstance(inner, list) else [inner]:
            if isinstance(one, dict):
                yield " " * indent + _clean(str(name))
                yield from _lines(one, min(indent + 2, 40))
            else:
                yield " " * indent + _clean(f"{name}: {one}")


def _clean(text: str) -> str:
    """Cut text, and make it safe for a terminal."""
    return safe(text[:_SHOWN])
