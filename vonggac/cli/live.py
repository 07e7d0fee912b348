"""Alerts as they come, a line each, for the terminal of `run`."""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import click
import orjson

from vonggac.cli.results import name_of
from vonggac.cli.show import COLOURS, local, safe
from vonggac.cli.titles import titles
from vonggac.i18n import _, language

FORMS: Final = ("table", "jsonl", "none")
_WIDE: Final = 160


def shower(form: str) -> Any:
    """Give the function that shows one alert on standard error, or None for `none`."""
    if form == "none":
        return None
    if form == "jsonl":
        return lambda record: _write(record + b"\n")
    named = titles(language())
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")

    def show(record: bytes) -> None:
        alert = orjson.loads(record)
        text = line(alert, named)
        if colour:
            text = click.style(text, **_style(alert["rule"]["level"]))
        _write(text.encode() + b"\n")

    return show


def line(alert: dict[str, Any], named: dict[str, str]) -> str:
    """Give one alert as a line: when, how grave, what, where, who, and what the rule saw."""
    rule = alert["rule"]
    time = local(alert["@timestamp"]) if alert.get("@timestamp") else " " * 19
    where = [name_of(alert, "host") or _address(alert), name_of(alert, "user")]
    unit = alert.get("vonggac", {}).get("unit", "")
    drill = alert.get("labels", {}).get("drill")
    matched = "; ".join(f"{name}={value}" for name, value in alert.get("vonggac", {}).get("matched", {}).items())
    exercise = _("exercise")
    parts = [
        time,
        f"{rule['level']:<13}",
        named.get(rule["id"], rule["name"]),
        " ".join(filter(None, where)),
        unit if unit != "default" else "",
        f"[{exercise}: {drill}]" if drill else "",
        matched or alert.get("message", ""),
    ]
    text = safe("  ".join(str(part) for part in parts if part))
    return text if len(text) <= _WIDE * 2 else text[: _WIDE * 2 - 1] + "…"


def _style(level: str) -> dict[str, Any]:
    words = COLOURS.get(level, "").split()
    style: dict[str, Any] = {word: True for word in words if word in ("bold", "dim")}
    for word in words:
        if word not in ("bold", "dim"):
            style["fg"] = word
    return style


def _address(alert: dict[str, Any]) -> str:
    for what in ("host", "source"):
        value = alert.get(what, {})
        found = value.get("ip") if isinstance(value, dict) else None
        if found:
            return str(found[0] if isinstance(found, list) else found)
    return ""


def _write(data: bytes) -> None:
    """Write a whole line at once: other processes of the service write to the same terminal."""
    view = memoryview(data)
    while view:
        view = view[os.write(2, view) :]
