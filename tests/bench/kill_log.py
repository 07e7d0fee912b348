"""Kill the embedded log's owners, over and over, and hold what is left to what was acknowledged: `make kill-test`.

Two processes work on one log: `collect` writes the events 0, 1, 2 … and keeps the next number as its mark; `detect`
reads them and writes one alert for each, with its positions. Each says on a pipe what a commit returned for. In every
round one of them kills itself with SIGKILL between two numbered steps of a commit, or is killed at random; the other
is killed at that moment too. Then the whole log is read:

- the events are exactly 0 … mark - 1, each once, and the mark is not below what was acknowledged;
- the alerts are exactly those of the events below detect's positions, each once, and not fewer than acknowledged.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from connectors.embedded_log import STEPS, EmbeddedLog, EmbeddedTask, Keep, World
from vonggac.logport import Batch, Out

KEEP = Keep(segment_bytes=20_000)
ROLES = ("collect", "detect")
RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Round:
    """Who dies where: at `step` of its commit number `commit`, or after `after_s`."""

    victim: str
    step: str
    commit: int
    after_s: float


def rounds(count: int, seed: int) -> Iterator[Round]:
    """Go through all roles and steps, with a random one after each four; then again."""
    chance = random.Random(seed)
    places = [(role, step) for step in STEPS for role in ROLES]
    places += [(role, RANDOM) for role in ROLES for _ in range(3)]
    for number in range(count):
        role, step = places[number % len(places)]
        yield Round(role, step, chance.randint(1, 30), chance.uniform(0.05, 0.4))


# ------------------------------------------------------------------ a child


def child(root: Path, role: str, step: str, commit: int) -> None:
    """Work until killed."""
    seen = 0

    def hook(name: str) -> None:
        nonlocal seen
        if name == step:
            seen += 1
            if seen == commit:
                os.kill(os.getpid(), signal.SIGKILL)

    log = EmbeddedLog(root, keep=KEEP, world=World(step=hook, disk=lambda _: (1 << 40, 1 << 39)))
    (collect if role == "collect" else detect)(log)


def collect(log: EmbeddedLog) -> None:
    task = log.join("collect", (), 0, 1)
    task.start()
    following = int(task.marks().get("next", b"0"))
    chance = random.Random(following)
    while True:
        count = chance.randint(1, 40)
        outs = [Out("events", b'{"n":%d}' % n, b"%d" % (n % 7)) for n in range(following, following + count)]
        following += count
        task.commit(outs, {}, {"next": b"%d" % following})
        os.write(1, b"%d\n" % following)


def detect(log: EmbeddedLog) -> None:
    task = log.join("detect", ("events",), 0, 1)
    task.start()
    while True:
        batches = task.poll(0.05, 2000)
        outs = [Out("alerts", record) for batch in batches for record in batch.records]
        if batches:
            task.commit(outs, {batch.part: batch.next for batch in batches}, {})
            os.write(1, b"%d\n" % len(outs))


# ------------------------------------------------------------------ the judge


def judge(root: Path, acknowledged: dict[str, int]) -> tuple[int, int]:
    """Read the log from its beginning; give how many events and alerts it has. Raises AssertionError."""
    log = EmbeddedLog(root, keep=KEEP)
    source, worker = log.join("collect", (), 0, 1), log.join("detect", ("events",), 0, 1)
    everything = EmbeddedLog(root).join("judge", ("events", "alerts"), 0, 1)
    tasks = (source, worker, everything)
    try:
        source.start()
        at = worker.start()
        everything.start()
        everything.seek(dict.fromkeys(everything.start(), 0))
        batches = list(drain(everything))
        mark = int(source.marks().get("next", b"0"))
        events = numbers(batch for batch in batches if batch.topic == "events")
        alerts = numbers(batch for batch in batches if batch.topic == "alerts")
        passed = numbers(batch for batch in batches if batch.topic == "events" and batch.next <= at.get(batch.part, 0))
        assert events == Counter(range(mark)), f"events are not 0 … {mark - 1}, each once"
        assert alerts == passed, "an alert too many or too few"
        assert mark >= acknowledged["collect"], f"{acknowledged['collect']} were acknowledged, {mark} are there"
        assert alerts.total() >= acknowledged["detect"], "acknowledged alerts are gone"
        assert not any(task.damage() for task in tasks), "a kill damages nothing"
        return events.total(), alerts.total()
    finally:
        for task in tasks:
            task.close()


def drain(task: EmbeddedTask) -> Iterator[Batch]:
    while batches := task.poll(0, 1 << 20):
        yield from batches


def numbers(batches: Iterator[Batch]) -> Counter[int]:
    return Counter(int(record[5:-1]) for batch in batches for record in batch.records)


def play(root: Path, one: Round, acknowledged: dict[str, int]) -> str:
    """Run both until one dies, kill the other; give how the victim ended."""
    running = {}
    for role in ROLES:
        step = one.step if role == one.victim else RANDOM
        command = [sys.executable, "-P", __file__, "child", str(root), role, step, str(one.commit)]
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        running[role] = subprocess.Popen(command, stdout=subprocess.PIPE, env=environ)
    victim = running[one.victim]
    if one.step == RANDOM:
        time.sleep(0.3 + one.after_s)
        victim.kill()
    try:
        victim.wait(20)
    except subprocess.TimeoutExpired:
        victim.kill()
    for role, process in running.items():
        process.kill()
        said = process.communicate()[0].rpartition(b"\n")[0].split(b"\n")
        values = [int(line) for line in said if line]
        if role == "collect":
            acknowledged[role] = max([acknowledged[role], *values])
        else:
            acknowledged[role] += sum(values)
    assert victim.returncode == -signal.SIGKILL, f"the victim ended by itself: {victim.returncode}"
    other = running[ROLES[1 - ROLES.index(one.victim)]]
    assert other.returncode == -signal.SIGKILL, f"the other ended by itself: {other.returncode}"
    return f"{one.victim} at {one.step}"


def campaign(count: int, seed: int, a_log: int = 20) -> int:
    """Play rounds, a new log each `a_log`; give the number of kills. Raises AssertionError with the round."""
    kills = 0
    plan = list(rounds(count, seed))
    for start in range(0, count, a_log):
        with TemporaryDirectory() as folder:
            acknowledged = dict.fromkeys(ROLES, 0)
            for number, one in enumerate(plan[start : start + a_log], start):
                how = play(Path(folder), one, acknowledged)
                kills += len(ROLES)
                try:
                    events, alerts = judge(Path(folder), acknowledged)
                except AssertionError as error:
                    msg = f"round {number}, {how} (seed {seed}): {error}"
                    raise AssertionError(msg) from error
                print(f"round {number}: {how}: {events} events, {alerts} alerts", flush=True)
    return kills


def main() -> None:
    if sys.argv[1:2] == ["child"]:
        child(Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]))
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 30)
    print(f"{campaign(count, seed)} kills (seed {seed}): nothing acknowledged lost, nothing doubled")


if __name__ == "__main__":
    main()
