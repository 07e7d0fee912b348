"""Time the fast Sigma engine against the reference, on one core, and say whether they agree.

    python tests/bench/sigma_engine.py RULES EVENTS.ndjson [COUNT]

RULES is a folder of rules, EVENTS flat Windows events (NXLog, OTRF), one JSON object a line. Collecting the events is
outside the clock, making the alerts inside; events/s are of CPU time, memory is what compiling added.
"""

import itertools
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from collectors import nxlog
from detectors.sigma import Sigma
from detectors.sigma._load import Rule, rules_of
from detectors.sigma.engine import Engine
from vonggac.event import Event
from vonggac.ports import ReadOptions
from vonggac.reading.rulefiles import SIGMA, rule_files
from vonggac.testing import source_of_file

BATCH = 500


def events_of(path: Path) -> Iterator[Event]:
    for records, _ in nxlog.open(source_of_file(path), ReadOptions()).read(None):
        yield from (one for one in records if isinstance(one, Event))


def timed(name: str, detector: Sigma | Engine, events: list[Event]) -> list[tuple[str, str, str]]:
    """Judge all events in batches; print the rate; give what fired and what matched."""
    alerts = []
    begun = time.process_time()
    for at in range(0, len(events), BATCH):
        alerts += list(detector.judge(events[at : at + BATCH]))
    took = time.process_time() - begun
    print(f"{name:20} {len(events) / took:10,.0f} events/s {len(alerts):8,} alerts")
    return [(one.event.id, one.rule.id, repr(one.matched)) for one in alerts]


def main() -> None:
    folder, file = Path(sys.argv[1]), Path(sys.argv[2])
    events = list(itertools.islice(events_of(file), int(sys.argv[3]) if len(sys.argv) > 3 else None))
    files = [path for path in rule_files(folder, SIGMA) if isinstance(path, Path)]
    rules = [one for path in files for one in rules_of(path, "bench", {}) if isinstance(one, Rule)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    engine = Engine(rules)
    took = time.process_time() - begun
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{len(rules):,} rules compiled in {took:.2f} s, {more / 1024:.0f} MB; {len(events):,} events")
    cold = timed("engine, cold", engine, events)
    warm = timed("engine, warm", engine, events)
    print("equal" if cold == warm == timed("reference", Sigma(rules), events) else "NOT EQUAL")


if __name__ == "__main__":
    main()
