"""What the roles count, as Prometheus reads it (text format 0.0.4).

By hand rather than by prometheus_client: that keeps figures of its own process, here they come ready from others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
#: what is known of a figure, also behind `intake_`: its type, and what it means to the person who reads it
KNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "alerts_by_level_total": ("counter", "Alerts by the level of their rule."),
    "alerts_total": ("counter", "Alerts that the detectors gave."),
    "bytes_total": ("counter", "Bytes of records that were taken."),
    "commits_total": ("counter", "Commits to the event log."),
    "connections": ("gauge", "Open connections."),
    "connections_total": ("counter", "Connections that were accepted."),
    "cut_total": ("counter", "Messages that were not whole: too long, or the connection ended in one."),
    "damaged_files": ("gauge", "Files of the event store that cannot be read; `vonggac check` names them."),
    "dead_total": ("counter", "Records that could not be read or judged; they are in topic dead, with the reason."),
    "dissector_restarts_total": ("counter", "Times that the program that takes packets apart was started again."),
    "dropped_kernel_total": ("counter", "Datagrams or packets that the kernel let go: we were too slow."),
    "dropped_total": ("counter", "Messages or packets that were read and found no room."),
    "entries_total": ("counter", "Entries of the journal."),
    "events_total": ("counter", "Events that this role handled."),
    "failed_saves_total": ("counter", "Saves that the disk did not take; they are tried again."),
    "failed_total": ("counter", "Requests that ended by a defect of ours."),
    "figures_left_out": ("gauge", "Figures of a role that found no room on its page."),
    "files": ("gauge", "Files that are followed."),
    "files_failed_total": ("counter", "Files that could not be read, or not to their end."),
    "files_total": ("counter", "Files that were read."),
    "files_unmovable": ("gauge", "Files that were read and cannot be moved out of the inbox."),
    "files_waiting": ("gauge", "Files that wait, or are in work."),
    "flows": ("gauge", "Conversations that run."),
    "full": ("gauge", "1 while the disk takes no more."),
    "full_total": ("counter", "Commits that waited for room on the disk."),
    "gaps_total": ("counter", "Places of the log that could not be read."),
    "handshakes_failed_total": ("counter", "TLS connections without the right certificate, or too slow."),
    "health_alerts_total": ("counter", "Alerts on sources and on the service itself."),
    "health_unread": ("gauge", "Measurements of sources that could not be read, and so count nowhere."),
    "heartbeat_age_seconds": ("gauge", "Seconds since the role's last sign of life."),
    "held_bytes": ("gauge", "Bytes of bodies that are not answered yet."),
    "intake_ended_total": ("counter", "Times that an intake ended and was started again."),
    "lost_total": ("counter", "Records of the log that could not be read."),
    "matches_total": ("counter", "Matches of rules that only correlations use."),
    "merged_total": ("counter", "Files of the event store that were joined."),
    "packets_total": ("counter", "Packets."),
    "received_total": ("counter", "Messages."),
    "records_total": ("counter", "Records of followed files."),
    "refused_busy_total": ("counter", "Bodies whose sender was told to come back: no room."),
    "refused_connections_total": ("counter", "Connections beyond the limit."),
    "refused_documents_total": ("counter", "Documents of a body that were refused one by one."),
    "refused_malformed_total": ("counter", "Requests that broke the protocol, or bodies whose form is not known."),
    "refused_too_large_total": ("counter", "Bodies above the limit."),
    "refused_too_slow_total": ("counter", "Requests that took too long to come."),
    "refused_total": ("counter", "Connections beyond the limit."),
    "refused_unauthorized_total": ("counter", "Requests without the right token."),
    "requests_total": ("counter", "HTTP requests."),
    "restarts_total": ("counter", "Times that a role died and was started again."),
    "retention_short": (
        "gauge",
        "1 while the disk is short and nothing may be deleted: all is younger than the floor.",
    ),
    "retired_total": ("counter", "Events past retention that were deleted from the event store."),
    "room_bytes": ("gauge", "Bytes that the log still takes before collectors wait."),
    "rules_loaded": ("gauge", "Rules that run."),
    "rules_refused": ("gauge", "Rules that do not run; `vonggac rules check` says why."),
    "saved_total": ("counter", "Records in the event store."),
    "saves_total": ("counter", "Saves into the event store."),
    "shown_total": ("counter", "Alerts that the terminal was given."),
    "state": ("gauge", "0 starting, 1 ready, 2 draining, 3 stopped."),
    "unreadable_figures": ("gauge", "Figures of a role whose name could not be read."),
    "up": ("gauge", "1 while the interface is up."),
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
        kind, meaning = KNOWN.get(name) or KNOWN.get(name.removeprefix("intake_"), ("untyped", ""))
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
    return int.__repr__(value) if isinstance(value, int) else repr(float(value))


_NAME: Final = "[a-zA-Z_][a-zA-Z0-9_]*"
_VALUE: Final = r'"(?:[^"\\\n]|\\[\\"n])*"'
_LABEL: Final = re.compile(f"({_NAME})=({_VALUE})")
_FIGURE: Final = re.compile(f"({_NAME})(?:{{((?:{_NAME}={_VALUE},?)*)}})?")
