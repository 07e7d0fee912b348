"""Sigma rules: each event against the rules for its log source, by the plain evaluator of `reference.py`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from detectors.sigma._load import Problem, Rule, rules_of
from vonggac.event import FOLD_VERSION, LEVELS, Alert, Event, LogSource, digest
from vonggac.ports import Built, DetectorConfig, Refused
from vonggac.reading.rulefiles import SIGMA, rule_files
from vonggac.sigma.logsource import sources_of
from vonggac.sigma.view import View

ROUTE_LIMIT: Final = 4_096  # remembered combinations of log sources; a hostile input could name any number


def build(config: DetectorConfig) -> Built:
    """Load the packs' rules; what does not run is refused by name, never an exception."""
    kept: list[Rule] = []
    refused: list[Refused] = []
    seen: dict[str, Rule] = {}
    least = LEVELS.index(config.min_level)
    for pack in config.packs:
        for path in rule_files(pack.root, SIGMA):
            if isinstance(path, Refused):
                refused.append(path)
                continue
            for one in rules_of(path, pack.name, config.expand):
                if isinstance(one, Problem):
                    refused.append(Refused(one.path, one.line, one.reason))
                elif (first := seen.setdefault(one.ref.id, one)) is not one:
                    reason = f"rule id {one.ref.id} stands already in {first.path}:{first.line}"
                    refused.append(Refused(one.path, one.line, reason))
                elif LEVELS.index(one.ref.level) >= least:
                    kept.append(one)
    return Built(loaded=len(kept), refused=refused, events=Sigma(kept))


class Sigma:
    """The rules by log source. An event of no known source is tried against all, and its alerts say so."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._routes: dict[tuple[LogSource, ...], tuple[Rule, ...]] = {}
        versions = sorted(f"{rule.ref.ruleset}\0{rule.ref.id}\0{rule.ref.version}" for rule in rules)
        self.digest = digest("sigma", FOLD_VERSION, *versions)

    def judge(self, events: Sequence[Event]) -> Iterator[Alert]:
        """Yield the alerts of the events, in their order, an event's in the order of the rules."""
        for event in events:
            view = View(event)
            sources = sources_of(event, view.windows)
            for rule in self.rules_for(sources):
                if rule.node.holds(view):
                    matched: dict[str, object] = {}
                    rule.node.note(view, matched)
                    yield Alert(rule.ref, event, matched, unrouted=not sources)

    def rules_for(self, sources: tuple[LogSource, ...]) -> tuple[Rule, ...]:
        """Give the rules that may fire on an event of these sources."""
        if not sources:
            return self._rules
        found = self._routes.get(sources)
        if found is None:
            found = tuple(rule for rule in self._rules if any(rule.source.holds(one) for one in sources))
            if len(self._routes) >= ROUTE_LIMIT:
                self._routes.clear()
            self._routes[sources] = found
        return found
