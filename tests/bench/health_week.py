"""Source health over synthetic weeks: which alerts come, how late, how many are false. Figures of docs/health.md.

    python tests/bench/health_week.py [SEED …]

Each seed is a world of its own: 28 days of 10 servers, 10 workstations, 4 nightly batches, 4 bursty sources, 4 sparse
ones that send by chance, 6 noisy ones, 2 firewalls with a strong daily rhythm; with a holiday, restarts of servers and
a weekend's downtime of the service itself. Nothing is wrong with any source: every alert is false. In a second run of
the same world nine sources go wrong on day 21.
"""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson

from vonggac.health.fold import Fold
from vonggac.health.measure import Measure, Shape, beat, line
from vonggac.settings import Health

START = 1_772_384_400  # Monday 2026-03-02 00:00 in Asia/Ho_Chi_Minh is 1772384400
DAY = 86_400
BAD_AT = START + 21 * DAY + 10 * 3_600  # Monday, 10:00


def rate(kind: str, number: int, at: int, rng: random.Random, memory: dict[str, int]) -> int:
    """Give the events of one minute."""
    day, second = divmod(at - START, DAY)
    hour, weekend, holiday = second / 3_600, day % 7 >= 5, day == 16
    name = f"{kind}{number}"
    if kind == "server":  # sends always; restarts for 6 minutes now and then
        if rng.random() < 1 / 14_400:
            memory[name] = at + 360
        return 0 if at < memory.get(name, 0) else rng.randint(20, 40)
    if kind == "workstation":  # switched on between 7:20 and 8:00, off between 16:30 and 17:40
        if weekend or holiday:
            return 0
        own = random.Random(f"{name}/{day}")
        if own.random() < 0.03:  # a day off
            return 0
        return rng.randint(0, 12) if own.uniform(7.3, 8) < hour < own.uniform(16.5, 17.7) else 0
    if kind == "batch":  # at 1:30, for 4 to 9 minutes
        length = random.Random(f"{name}/{day}").uniform(4, 9) / 60
        return rng.randint(500, 2_000) if 1.5 < hour < 1.5 + length else 0
    if kind == "bursty":  # bursts of half an hour, about four a day
        if rng.random() < 1 / 360:
            memory[name] = at + rng.randint(600, 2_400)
        return rng.randint(100, 400) if at < memory.get(name, 0) else 0
    if kind == "sparse":  # one event in about 12 minutes, by chance
        return int(rng.random() < 1 / 12)
    if kind == "noisy":  # a rate that drifts by factors, with minutes a hundred times the median
        drift = memory[name] = int(0.995 * memory.get(name, 0) + rng.gauss(0, 80))  # thousandths of a factor of e
        return int(30 * math.exp(drift / 1_000 + rng.gauss(0, 1.2)))
    return int(rng.uniform(0.7, 1.3) * (60 if weekend or holiday or not 7 <= hour < 18 else 2_500))  # firewall


KINDS = {"server": 10, "workstation": 10, "batch": 4, "bursty": 4, "sparse": 4, "noisy": 6, "firewall": 2}
WRONG = ("server0", "server1", "server2", "server3", "server4", "workstation0", "batch0", "sparse0", "firewall0")


def records(seed: int, *, wrong: bool, days: int = 28) -> Iterator[tuple[int, list[bytes]]]:
    """Give the lines of each minute."""
    rng = random.Random(seed)
    memory: dict[str, int] = {}
    for at in range(START, START + days * DAY, 60):
        down = START + 12 * DAY + 22 * 3_600 <= at < START + 14 * DAY  # the service, from Saturday night on
        lines = [beat("2026-01-01T00:00:00Z")]
        for kind, count in KINDS.items():
            for number in range(count):
                events = rate(kind, number, at, rng, memory)
                name, failed, offset, fields = f"{kind}{number}", 0, 0.4, "user.name"
                if wrong and at >= BAD_AT:
                    if name in ("server0", "workstation0", "batch0", "sparse0"):
                        events = 0
                    elif name in ("server1", "firewall0"):
                        events = max(events // 20, 1)
                    elif name == "server2":
                        fields = "user.account"
                    elif name == "server3":
                        offset = 600.0
                    elif name == "server4":
                        failed, events = events // 2, events // 2
                if events or failed:
                    shape = None
                    if at % 600 == 0:
                        shape = Shape(60, {"@timestamp": 60, fields: 60, "process.name": rng.randint(0, 60)})
                    made = Measure("syslog", name, "", "d", events=events, failed=failed, offset_s=offset, shape=shape)
                    lines.append(line(made))
        if not down:
            yield at, lines


def run(seed: int, *, wrong: bool) -> list[tuple[int, str, str]]:
    """Give the alerts: append time, rule, host."""
    fold = Fold(Health())
    found = []
    rows = 0
    for at, lines in records(seed, wrong=wrong):
        for alert in fold.feed(lines, datetime.fromtimestamp(at, UTC)):
            doc = orjson.loads(alert)
            found.append((at, doc["rule"]["id"], doc.get("host", {}).get("name", "many")))
        rows += len(fold.take_days())
    print(f"seed {seed}: snapshot {len(fold.snapshot()) / len(fold.sources()):,.0f} bytes a source, {rows} day rows")
    return found


def main() -> None:
    """Print false alerts by kind and day of week, and the time to each true one."""
    for seed in map(int, sys.argv[1:] or ["0"]):
        quiet = run(seed, wrong=False)
        print("  nothing wrong:", Counter((rule, host) for _, rule, host in quiet) or "no alert in 28 days")
        for at, rule, host in quiet:
            print("   ", datetime.fromtimestamp(at + 7 * 3_600, UTC).strftime("%a %d %H:%M"), rule, host)
        known = {(rule, host) for _, rule, host in quiet}
        for at, rule, host in run(seed, wrong=True):
            if (rule, host) not in known or host in WRONG:
                print(f"  {host:14} {rule:22} after {(at - BAD_AT) / 3_600:6.2f} h")


if __name__ == "__main__":
    main()
