"""What the roles count, as Prometheus reads it (text format 0.0.4).

By hand rather than by prometheus_client: that keeps figures of its own process, here they come ready from others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
#: what is known of a figure: its type, and what it means to the person who reads it
KNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "alerts_total": ("counter", "Alerts that the detectors gave."),
    "alerts_by_level_total": ("counter", "Alerts by the level of their rule."),
    "bytes_total": ("counter", "Bytes of records that were taken."),
    "commits_total": ("counter", "Commits to the event log."),
    "connections": ("gauge", "Open connections."),
    "dead_total": ("counter", "Records that could not be read or judged; they are in topic dead, with the reason."),
    "dropped_total": ("counter", "What was lost: messages or packets before they were read, or files past retention."),
    "events_total": ("counter", "Events that this role handled."),
    "failed_saves_total": ("counter", "Saves that the disk did not take; they are tried again."),
    "failed_total": ("counter", "Requests that ended by a defect of ours."),
    "full": ("gauge", "1 while the disk takes no more."),
    "held_bytes": ("gauge", "Bytes of bodies that are not answered yet."),
    "intake_ended_total": ("counter", "Times that an intake ended and was started again."),
    "matches_total": ("counter", "Matches of rules that only correlations use."),
    "merged_total": ("counter", "Files of the event store that were joined."),
    "refused_busy_total": ("counter", "Bodies whose sender was told to come back: no room."),
    "refused_connections_total": ("counter", "Connections beyond the limit."),
    "refused_documents_total": ("counter", "Documents of a body that were refused one by one."),
    "refused_malformed_total": ("counter", "Requests that broke the protocol, or bodies whose form is not known."),
    "refused_too_large_total": ("counter", "Bodies above the limit."),
    "refused_too_slow_total": ("counter", "Requests that took too long to come."),
    "refused_unauthorized_total": ("counter", "Requests without the right token."),
    "requests_total": ("counter", "HTTP requests."),
    "restarts_total": ("counter", "Times that a role died and was started again."),
    "room_bytes": ("gauge", "Bytes that the log still takes before collectors wait."),
    "rules_loaded": ("gauge", "Rules that run."),
    "rules_refused": ("gauge", "Rules that do not run; `vonggac rules check` says why."),
    "saved_total": ("counter", "Records in the event store."),
    "saves_total": ("counter", "Saves into the event store."),
    "waiting": ("gauge", "Bodies that are not answered yet."),
    "waiting_bytes": ("gauge", "Bytes that are read and not yet durable."),
}


def labelled(name: str, **labels: str) -> str:
    """Give a figure's name with its labels, as `exposition` reads it: `events_total{collector="evtx"}`."""
    inner = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels.items())
    return f"{name}{{{inner}}}" if inner else name


def exposition(figures: Mapping[str, Mapping[str, float]]) -> bytes:
    """Give the page: role instance -> {name, with labels or without: number}.

    A name that cannot be read is left out, and counted as `vonggac_unreadable_figures`: the rest of the page stands.
    """
    families: dict[str, list[str]] = {}
    unreadable = 0
    for role, numbers in figures.items():
        for written, number in numbers.items():
            parted = _parted(written)
            if parted is None:
                unreadable += 1
                continue
            name, labels = parted
            inner = ",".join([f'role="{_escaped(role)}"', *labels])
            families.setdefault(name, []).append(f"vonggac_{name}{{{inner}}} {_number(number)}")
    families["unreadable_figures"] = [f"vonggac_unreadable_figures {unreadable}"]
    out: list[str] = []
    for name in sorted(families):
        kind, meaning = KNOWN.get(name, ("untyped", ""))
        if meaning:
            out.append(f"# HELP vonggac_{name} {meaning}")
        out += [f"# TYPE vonggac_{name} {kind}", *dict.fromkeys(families[name])]
    return ("\n".join(out) + "\n").encode("utf-8", "replace")


def _parted(written: str) -> tuple[str, list[str]] | None:
    """Part `name{a="b"}` into name and labels, as they are; our own `role` stands above one of that name."""
    match = _FIGURE.fullmatch(written)
    if match is None:
        return None
    labels = dict(_LABEL.findall(match[2] or ""))
    labels.pop("role", None)
    return match[1], [f"{label}={value}" for label, value in labels.items()]


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


_NAME: Final = "[a-zA-Z_][a-zA-Z0-9_]*"
_VALUE: Final = r'"(?:[^"\\\n]|\\[\\"n])*"'
_LABEL: Final = re.compile(f"({_NAME})=({_VALUE})")
_FIGURE: Final = re.compile(f"({_NAME})(?:{{((?:{_NAME}={_VALUE},?)*)}})?")
