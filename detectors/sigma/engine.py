"""The fast Sigma engine: the alerts of the reference evaluator, from a lazily built table of signatures.

Once: every value of every item becomes a numbered atom, each field's atoms an index (`_index.py`), each rule a formula
over atoms with a witness, a set of atoms of which one must be true (`_witness.py`). Then, an event at a time: its log
source picks a route; each field that the route's rules look at turns its value into a class, the set of true atoms;
the tuple of classes is the event's signature, and a signature's rules are worked out once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from detectors.sigma._columns import Budget
from detectors.sigma._compile import Compiled, compile_rules
from detectors.sigma._load import Rule
from detectors.sigma._route import Route
from vonggac.event import FOLD_VERSION, Alert, Event, LogSource, digest
from vonggac.sigma.logsource import sources_of
from vonggac.sigma.view import View

ROUTE_LIMIT: Final = 4_096  # remembered combinations of log sources; a hostile input could name any number

#: (log sources, is a Windows event): what picks a route
_Key = tuple[tuple[LogSource, ...], bool]


class Engine:
    """The rules by log source, as `detectors.sigma.Sigma`, and with the same answers."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._compiled: Compiled = compile_rules(self._rules)
        self._by_source: dict[LogSource, list[int]] = {}
        for number, rule in enumerate(self._rules):
            self._by_source.setdefault(rule.source, []).append(number)
        self._budget = Budget()
        self._routes: dict[_Key, Route] = {}
        versions = sorted(f"{rule.ref.ruleset}\0{rule.ref.id}\0{rule.ref.version}" for rule in rules)
        self.digest = digest("sigma", FOLD_VERSION, *versions)

    def judge(self, events: Sequence[Event]) -> Iterator[Alert]:
        """Yield the alerts of the events, in their order, an event's in the order of the rules."""
        if self._budget.spent():
            self._forget()
        routes = self._routes
        for event in events:
            view = View(event)
            sources = sources_of(event, view.windows)
            route = routes.get((sources, view.empty_is_null))
            if route is None:
                route = self._route(sources, view.empty_is_null)
            for rule in route.rules_of(view):
                matched: dict[str, object] = {}
                rule.node.note(view, matched)
                yield Alert(rule.ref, event, matched, unrouted=not sources)

    def _route(self, sources: tuple[LogSource, ...], windows: bool) -> Route:
        fitting = (
            numbers
            for source, numbers in self._by_source.items()
            if not sources or any(source.holds(one) for one in sources)
        )
        rules = sorted(number for numbers in fitting for number in numbers)
        if len(self._routes) >= ROUTE_LIMIT:
            self._forget()
        made = Route(self._compiled, rules, windows, self._budget)
        self._routes[sources, windows] = made
        return made

    def _forget(self) -> None:
        self._routes.clear()
        self._budget.clear()
