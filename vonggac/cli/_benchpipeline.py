"""`vonggac bench pipeline`: the whole service under load on this machine, in a state folder of its own.

One sender by syslog TCP and one that drops files of Windows events into the inbox, each half of the rate. Ten times a
second a syslog line is sent on which one of our rules fires: from its sending to its alert in the log is the latency.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from vonggac.cli import _traffic
from vonggac.pipeline.pages import look

_TICK_S: Final = 0.05
_FILE_S: Final = 1.0
_MARK_S: Final = 0.1
_SAMPLE_S: Final = 5.0
_DRAIN_S: Final = 60.0


@dataclass(slots=True)
class Run:
    """What one run showed."""

    seconds: float = 0.0
    sent: int = 0
    stored: int = 0
    marks: dict[int, float] = field(default_factory=dict)  # pid of the line -> when it was sent
    late: dict[int, float] = field(default_factory=dict)  # -> seconds to its alert
    doubled: int = 0
    rss_mb: list[float] = field(default_factory=list)  # all processes together, a sample each 5 s
    lag: list[int] = field(default_factory=list)  # events not yet judged
    cpu_s: float = 0.0
    by_role: dict[str, float] = field(default_factory=dict)  # CPU seconds

    def figures(self, rate: int) -> dict[str, Any]:
        """Give the figures for people and scripts."""
        late = sorted(self.late.values())
        half = len(self.rss_mb) // 2
        return {
            "asked_a_second": rate,
            "stored_a_second": round(self.stored / self.seconds),
            "sent": self.sent,
            "stored": self.stored,
            "lost": self.sent - self.stored,
            "alerts_expected": len(self.marks),
            "alerts_seen": len(self.late),
            "alerts_doubled": self.doubled,
            "alert_median_ms": round(statistics.median(late) * 1e3) if late else None,
            "alert_p99_ms": round(late[int(len(late) * 0.99)] * 1e3) if late else None,
            "rss_mb_most": round(max(self.rss_mb, default=0)),
            "rss_mb_first_half": round(statistics.median(self.rss_mb[:half] or [0])),
            "rss_mb_second_half": round(statistics.median(self.rss_mb[half:] or [0])),
            "lag_most": max(self.lag, default=0),
            "cores_used": round(self.cpu_s / self.seconds, 2),
            "cpu_us_an_event": round(self.cpu_s / max(1, self.stored) * 1e6, 1),
            "cpu_by_role": {name: round(value / self.seconds, 2) for name, value in sorted(self.by_role.items())},
        }


def bench_pipeline(rate: int, seconds: float, environ: dict[str, str], root: Path, packs: tuple[str, ...]) -> Run:
    """Run the service and load it; raises ValueError when it did not start."""
    with tempfile.TemporaryDirectory(prefix="vonggac-bench-", dir=root) as folder:
        data = Path(folder)
        port = _free_port()
        settings = {
            "VONGGAC_DATA": folder,
            "VONGGAC_SYSLOG__LISTEN": f"127.0.0.1:{port}",
            "VONGGAC_CONSOLE__LISTEN": "127.0.0.1:0",
            "VONGGAC_LANG": "en",
        }
        if packs:
            settings["VONGGAC_RULES__PACKS"] = os.pathsep.join(packs)
        clean = {name: value for name, value in environ.items() if not name.startswith("VONGGAC_")}
        command = [sys.executable, "-P", "-m", "vonggac", "run", "--alerts", "none"]
        with subprocess.Popen(command, env={**clean, **settings}, stdout=subprocess.PIPE) as service:
            try:
                assert service.stdout is not None  # noqa: S101  PIPE
                if b"ready" not in service.stdout.readline():
                    msg = "the service did not start"
                    raise ValueError(msg)
                return _load(data, port, rate, seconds, service.pid)
            finally:
                service.terminate()
                service.wait(20)


def _load(data: Path, port: int, rate: int, seconds: float, pid: int) -> Run:
    run, stop = Run(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(data, run, stop), daemon=True)
    watcher.start()
    began, cpu = time.perf_counter(), _cpu(pid)
    senders = [
        threading.Thread(target=_syslog, args=(port, rate // 2, seconds, run)),
        threading.Thread(target=_inbox, args=(data / "inbox", rate - rate // 2, seconds, run)),
    ]
    for sender in senders:
        sender.start()
    sampled = 0.0
    while any(sender.is_alive() for sender in senders):
        time.sleep(0.2)
        if time.perf_counter() - sampled > _SAMPLE_S:
            sampled = time.perf_counter()
            run.rss_mb.append(_rss_mb(pid))
            run.lag.append(_figure(data, "collect", "events_total") - _figure(data, "detect", "events_total"))
    run.seconds = time.perf_counter() - began
    run.stored = _stored(data, run.sent)
    after = _cpu(pid)
    run.cpu_s = sum(after.values()) - sum(cpu.values())
    roles = {str(one.pid): name for name, one in look(data).items()}
    run.by_role = {roles.get(name, name): value - cpu.get(name, 0) for name, value in after.items()}
    time.sleep(1)
    stop.set()
    watcher.join(10)
    return run


def _stored(data: Path, sent: int) -> int:
    """Wait until everything is stored, and say how much is."""
    end = time.monotonic() + _DRAIN_S
    while (stored := _figure(data, "store", 'saved_total{topic="events"}')) < sent and time.monotonic() < end:
        time.sleep(0.2)
    return stored


def _syslog(port: int, rate: int, seconds: float, run: Run) -> None:
    chance, sent, began, marked = random.Random(1), 0, time.perf_counter(), 0.0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while (now := time.perf_counter() - began) < seconds:
            due = int(now * rate) - sent
            lines = _traffic.syslog_lines(due, chance, datetime.now(UTC)) if due > 0 else b""
            if now - marked > _MARK_S:
                marked = now
                pid = 1_000_000 + len(run.marks)
                lines += _traffic.marker(pid, datetime.now(UTC))
                run.marks[pid] = time.time()
                due += 1
            connection.sendall(lines)
            sent += max(0, due)
            time.sleep(_TICK_S)
    run.sent += sent


def _inbox(inbox: Path, rate: int, seconds: float, run: Run) -> None:
    chance, sent, began, number = random.Random(2), 0, time.perf_counter(), 0
    while (now := time.perf_counter() - began) < seconds:
        due = int(now * rate) - sent
        if due > 0:
            number += 1
            new = inbox / f".bench-{number}.tmp"
            new.write_bytes(_traffic.windows_events(due, chance, datetime.now(UTC)))
            new.replace(inbox / f"bench-{number}.json")
            sent += due
        time.sleep(_FILE_S)
    run.sent += sent


def _watch(data: Path, run: Run, stop: threading.Event) -> None:
    """Read along the alerts and note when each marker's came."""
    log = importlib.import_module("connectors.embedded_log").EmbeddedLog(data / "log")
    while not stop.is_set():
        for batch in log.tail(("alerts",), datetime(2000, 1, 1, tzinfo=UTC) if not run.late else None, 1.0):
            seen = time.time()
            for record in batch.records:
                pid = orjson.loads(record).get("process", {}).get("pid")
                if pid in run.marks:
                    run.doubled += pid in run.late
                    run.late.setdefault(pid, seen - run.marks[pid])
            if stop.is_set():
                return


def _figure(data: Path, role: str, name: str) -> int:
    """Add up a figure of all processes of a role."""
    return sum(int(one.figures.get(name, 0)) for at, one in look(data).items() if at.rpartition("-")[0] == role)


def _processes(pid: int) -> Iterator[int]:
    """Yield the service's processes, the supervisor first."""
    yield pid
    yield from map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())


def _rss_mb(pid: int) -> float:
    """Add up what all processes of the service hold; shared pages count once (PSS)."""
    total = 0
    for one in _processes(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for line in Path(f"/proc/{one}/smaps_rollup").read_text("ascii").splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024


def _cpu(pid: int) -> dict[str, float]:
    """Give the CPU seconds of each process so far, its own children's included."""
    found: dict[str, float] = {}
    tick = os.sysconf("SC_CLK_TCK")
    for one in _processes(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            rest = Path(f"/proc/{one}/stat").read_text("utf-8").rpartition(")")[2].split()
            found[str(one)] = sum(map(int, rest[11:15])) / tick
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
