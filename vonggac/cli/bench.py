"""`vonggac bench scan PATH…`: measure itself on this machine, on the user's own files."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import orjson

from vonggac import __version__, shelf
from vonggac.cli import Context, Unusable
from vonggac.cli.show import table, wants_json
from vonggac.event import Bad
from vonggac.i18n import _
from vonggac.pipeline.workers import cores, settle
from vonggac.ports import ReadOptions
from vonggac.reading.claims import claimed
from vonggac.reading.source import READ_ERRORS, Limits
from vonggac.reading.walk import files, inputs


@click.group(help=_("Measure itself on this machine; figures as JSON with --json."),
             epilog="vonggac bench scan /srv/evtx --json")  # fmt: skip
def bench() -> None:
    """Hold the commands below."""


@bench.command("scan", help=_("Reading (one core) and whole scans (one worker, all cores) of files of your own."),
               epilog="vonggac bench scan /srv/evtx --runs 5 --json")  # fmt: skip
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("--runs", type=click.IntRange(1, 100), default=5, help=_("how often each figure is taken"))
@click.pass_obj
def bench_scan(context: Context, paths: tuple[str, ...], runs: int) -> None:
    """Print three figures; runs of the three alternate, so that a noisy machine hits all alike."""
    found = [path for path in files(paths) if isinstance(path, str)]
    if not found:
        raise Unusable(_("nothing to read there"))
    workers = cores()
    settle()  # as a worker does
    jobs: dict[str, Callable[[], float]] = {
        "scan.read": lambda: _read(found),
        "scan.workers_1": lambda: _scan(context, paths, 1),
        f"scan.workers_{workers}": lambda: _scan(context, paths, workers),
    }
    rates: dict[str, list[float]] = {name: [] for name in jobs}
    for _run in range(runs):
        for name, job in jobs.items():
            rates[name].append(job())
    rows = [_figure(name, values) for name, values in rates.items()]
    if wants_json(context):
        for row in rows:
            click.echo(orjson.dumps(row))
        return
    columns = (_("figure"), _("unit"), _("median"), _("least"), _("most"))
    table(columns, [[r["name"], r["unit"], r["median"], min(r["runs"]), max(r["runs"])] for r in rows])


def _read(paths: list[str]) -> float:
    """Give events/s of collectors alone: bytes to Events, in this process, nothing written."""
    collectors = {name: shelf.collector(name) for name in shelf.names("collectors")}
    events, start = 0, time.perf_counter()
    for source in (one for path in paths for one in inputs(path, Limits())):
        name = None if isinstance(source, Bad) else claimed(source, collectors)
        if name is not None and not isinstance(source, Bad):
            with suppress(*READ_ERRORS):  # what was read before the damage counts; `scan` names it
                for records, _mark in collectors[name].open(source, ReadOptions()).read(None):
                    events += len(records)
    return events / (time.perf_counter() - start)


def _scan(context: Context, paths: tuple[str, ...], workers: int) -> float:
    """Give events/s of the whole command, start-up and all."""
    with tempfile.TemporaryDirectory(prefix="vonggac-bench-") as folder:
        summary = Path(folder, "summary.json")
        command = [sys.executable, "-P", "-m", "vonggac", "--data", str(context.data), "scan", f"--workers={workers}"]
        command += [f"--output={folder}/alerts", f"--summary={summary}", *map(os.path.abspath, paths)]
        start = time.perf_counter()
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)
        seconds = time.perf_counter() - start
        events: int = orjson.loads(summary.read_bytes())["events"]
    return events / seconds


def _figure(name: str, runs: list[float]) -> dict[str, Any]:
    rounded = [round(run) for run in runs]
    return {
        "name": name,
        "unit": "events/s",
        "runs": rounded,
        "median": round(statistics.median(rounded)),
        "machine": machine(),
        "version": __version__,
    }


def machine() -> dict[str, Any]:
    """Say what this machine is, as far as figures depend on it."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return {
        "cpu": model,
        "cores": cores(),
        "memory_mb": memory,
        "system": platform.platform(),
        "python": platform.python_version(),
    }
