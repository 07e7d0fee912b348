"""What a scan is asked to do, and the account of what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from vonggac.event import LogSource


@dataclass(frozen=True, slots=True)
class Job:
    """All that a worker needs to know; plain values, so that it travels to a process as JSON."""

    mode: Literal["scan", "parse"]
    now: str  # ISO 8601: the time of the run, as alerts carry it
    packs: tuple[tuple[str, str], ...] = ()  # (ruleset, folder)
    detectors: tuple[str, ...] = ()  # empty = all, YARA only for what no collector claims
    collector: str | None = None
    logsource: LogSource | None = None
    zone: str = "Asia/Ho_Chi_Minh"
    min_level: str = "informational"
    since: str | None = None  # as vonggac.reading.times.iso writes it
    until: str | None = None
    drill: str | None = None  # labels.drill on every event
    units: str | None = None  # the unit table's file
    cache: str | None = None
    expand: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tshark_seconds: float = 600.0
    unpack_ratio: int = 250
    store: bool = False  # hand out the events too (mode scan)


@dataclass(slots=True)
class Tally:
    """Counts; those of several workers add up."""

    inputs: int = 0
    events: int = 0
    events_failed: int = 0  # records that could not be read, in whole or in part
    events_kept: int = 0  # of those: read in part and judged all the same
    alerts: int = 0
    by_collector: Counter[str] = field(default_factory=Counter)
    inputs_by_collector: Counter[str] = field(default_factory=Counter)  # an empty file is of `empty`
    by_rule: Counter[str] = field(default_factory=Counter)
    by_level: Counter[str] = field(default_factory=Counter)
    failed_by_collector: Counter[str] = field(default_factory=Counter)
    rss_mb: int = 0  # the largest worker

    def add(self, other: Tally) -> None:
        """Take another account into this one."""
        for name in ("inputs", "events", "events_failed", "events_kept", "alerts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.by_collector += other.by_collector
        self.inputs_by_collector += other.inputs_by_collector
        self.by_rule += other.by_rule
        self.by_level += other.by_level
        self.failed_by_collector += other.failed_by_collector
        self.rss_mb = max(self.rss_mb, other.rss_mb)

    @classmethod
    def from_json(cls, text: bytes) -> Tally:
        """Read what a worker sent."""
        return msgspec.json.decode(text, type=cls, dec_hook=lambda _kind, value: Counter(value))


@dataclass(frozen=True, slots=True)
class Rules:
    """The account of the rules: how many run, which do not and why."""

    loaded: int
    refused: tuple[dict[str, Any], ...]  # {"path", "line", "reason"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run."""

    tally: Tally
    inputs_failed: Sequence[dict[str, str]]  # {"path", "reason"}
    rules: Rules
    seconds: float

    def summary(self) -> dict[str, Any]:
        """Give the summary file's object (cli.md of the plan; docs/alerts.md)."""
        tally = self.tally
        return {
            "inputs": tally.inputs,
            "inputs_failed": list(self.inputs_failed),
            "events": tally.events,
            "events_failed": tally.events_failed,
            "events_kept": tally.events_kept,
            "by_collector": dict(sorted(tally.by_collector.items())),
            "inputs_by_collector": dict(sorted(tally.inputs_by_collector.items())),
            "failed_by_collector": dict(sorted(tally.failed_by_collector.items())),
            "alerts": tally.alerts,
            "by_rule": dict(sorted(tally.by_rule.items())),
            "by_level": dict(sorted(tally.by_level.items())),
            "rules_loaded": self.rules.loaded,
            "rules_refused": list(self.rules.refused),
            "seconds": round(self.seconds, 3),
            "rss_mb": tally.rss_mb,
        }

    @property
    def complete(self) -> bool:
        """Say whether everything was read: no input and no record is missing from what was judged."""
        return not self.inputs_failed and self.tally.events_failed == self.tally.events_kept
