"""Kill the service again and again under load, every role and the supervisor, and count afterwards: `make kill-test`.

python -P tests/bench/kill_service.py [KILLS] [SEED]
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.service import Load, Service, hold

ROLES = ("collect-0", "detect-0", "store-0", "desk-0", "supervisor-0")


def main() -> None:
    """Kill, count, say."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 1_000_000
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="vonggac-kill-") as folder:
        service = Service(Path(folder, "data"))
        service.start()
        load = Load(service)
        killed: Counter[str] = Counter()
        began = time.monotonic()
        try:
            while killed.total() < kills:
                time.sleep(chance.uniform(0.02, 0.6))
                role = chance.choice(ROLES)
                if role != "supervisor-0" and role not in service.pids():
                    continue
                service.kill(role)
                killed[role] += 1
                if role == "supervisor-0":
                    service.start()
        finally:
            load.end()
            try:
                hold(service, load)
            finally:
                service.close()
    each = ", ".join(f"{role} {count}" for role, count in sorted(killed.items()))
    print(f"{kills} kills in {time.monotonic() - began:.0f} s, seed {seed}: {each}")
    print(f"{len(load.sure):,} records acknowledged, {len(load.asked):,} posted without an answer")
    print("log, alerts, stored events and stored alerts are equal multisets: nothing lost, nothing doubled")


if __name__ == "__main__":
    main()
