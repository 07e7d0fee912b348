"""`vonggac bench scan|log|store|pipeline`: measure itself on this machine."""

from __future__ import annotations

import importlib
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click
import orjson

from vonggac import __version__, shelf
from vonggac.cli import Context, Unusable, _traffic
from vonggac.cli.show import table, wants_json
from vonggac.event import Bad, Event
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
@click.option("--runs", type=click.IntRange(1, 100), default=5, metavar="N", help=_("how often each figure is taken"))
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
    _show(context, rows)


@bench.command("log", help=_("Commits of 1,000 events into the event log, each synced to disk."),
               epilog="vonggac bench log --json")  # fmt: skip
@click.argument("paths", nargs=-1, metavar="[PATH…]")
@click.option("--events", type=click.IntRange(1_000), default=200_000, metavar="N", help=_("how many, a run"))
@click.option("--runs", type=click.IntRange(1, 100), default=5, metavar="N", help=_("how often each figure is taken"))
@click.pass_obj
def bench_log(context: Context, paths: tuple[str, ...], events: int, runs: int) -> None:
    """Print what the log takes and gives."""
    _speeds(context, "log", paths, events, runs, ("written_a_second", "read_a_second", "commit_ms", "commit_p99_ms"))


@bench.command("store", help=_("Events from the log's batches to searchable, synced files; and how it answers."),
               epilog="vonggac bench store --search 5000000 --json")  # fmt: skip
@click.argument("paths", nargs=-1, metavar="[PATH…]")
@click.option("--events", type=click.IntRange(1_000), default=200_000, metavar="N", help=_("how many, a run"))
@click.option("--runs", type=click.IntRange(1, 100), default=5, metavar="N", help=_("how often each figure is taken"))
@click.option("--search", type=click.IntRange(10_000), metavar="N", help=_("ask questions of a store of N events"))
@click.option("--writers", type=click.IntRange(1, 2), metavar="N",
              help=_("processes that write (store.writers): 1 or 2; by default one a core"))  # fmt: skip
@click.pass_obj
def bench_store(
    context: Context, paths: tuple[str, ...], events: int, runs: int, search: int | None, writers: int | None
) -> None:
    """Print what the store takes, or how long its answers take."""
    if search is None:
        figures = ("saved_a_second", "cpu_us_an_event", "merge_us_an_event", "stored_an_event", "rss_mb", "writers")
        _speeds(context, "store", paths, events, runs, figures, writers=writers or min(2, cores()))
        return
    module = importlib.import_module("connectors._benchsearch")
    records = _records(paths) if paths else _traffic.records(50_000)
    context.data.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vonggac-bench-", dir=context.data) as folder:
        found: dict[str, list[float]] = module.bench_search(Path(folder), records, search, runs)
    _show(context, [_figure(f"search: {name}", took, "ms") for name, took in found.items()])


@bench.command("pipeline", help=_("The whole service under load: syslog and files in, alerts and stored events out."),
               epilog="vonggac bench pipeline --rate 15000 --seconds 600 --json")  # fmt: skip
@click.option("--rate", type=click.IntRange(1), default=15_000, metavar="N", help=_("events a second that are sent"))
@click.option("--seconds", type=click.FloatRange(5), default=60, metavar="N", help=_("how long"))
@click.option("--rules", "packs", multiple=True, metavar="PATH|PACK", help=_("these packs besides our own"))
@click.pass_obj
def bench_pipeline(context: Context, rate: int, seconds: float, packs: tuple[str, ...]) -> int:
    """Print how the service bore it; 1 when something was lost, doubled or not alerted on."""
    from vonggac.cli import _benchpipeline

    context.data.mkdir(parents=True, exist_ok=True)
    try:
        run = _benchpipeline.bench_pipeline(rate, seconds, dict(os.environ), context.data, packs)
    except (OSError, ValueError) as error:
        raise Unusable(str(error)) from error
    figures = run.figures(rate)
    if wants_json(context):
        row = {**_figure("pipeline", [figures["stored_a_second"]]), "figures": figures}
        click.echo(orjson.dumps(row))
    else:
        table((_("figure"), _("value")), [[name, value] for name, value in figures.items()])
    whole = not figures["lost"] and not figures["alerts_doubled"] and len(run.late) == len(run.marks)
    return 0 if whole else 1


def _speeds(
    context: Context, what: str, paths: tuple[str, ...], events: int, runs: int, shown: tuple[str, ...], **more: int
) -> None:
    """Run `connectors._bench<what>` on events of the paths, or on made ones, on the disk of the state folder."""
    module = importlib.import_module(f"connectors._bench{what}")
    records = _records(paths) if paths else _traffic.records(20_000)
    context.data.mkdir(parents=True, exist_ok=True)
    figures: dict[str, list[float]] = {name: [] for name in shown}
    for _run in range(runs):
        with tempfile.TemporaryDirectory(prefix="vonggac-bench-", dir=context.data) as folder:
            speed = getattr(module, f"bench_{what}")(Path(folder), records, events, **more)
        for name in shown:
            figures[name].append(getattr(speed, name))
    rows = [_figure(f"{what}.{name}", values, _UNITS.get(name, "")) for name, values in figures.items()]
    _show(context, rows)


def _records(paths: tuple[str, ...]) -> list[bytes]:
    """Give the events of files of the user's own, as the log holds them."""
    batches = _batches(path for path in files(paths) if isinstance(path, str))
    found = [one.to_json() for records in batches for one in records if isinstance(one, Event)]
    if not found:
        raise Unusable(_("nothing to read there"))
    return found


def _show(context: Context, rows: list[dict[str, Any]]) -> None:
    if wants_json(context):
        for row in rows:
            click.echo(orjson.dumps(row))
        return
    columns = (_("figure"), _("unit"), _("median"), _("least"), _("most"))
    table(columns, [[r["name"], r["unit"], r["median"], min(r["runs"]), max(r["runs"])] for r in rows])


def _read(paths: list[str]) -> float:
    """Give events/s of collectors alone: bytes to Events, in this process, nothing written."""
    start = time.perf_counter()
    events = sum(map(len, _batches(paths)))
    return events / (time.perf_counter() - start)


def _batches(paths: Iterable[str]) -> Iterator[Sequence[Event | Bad]]:
    """Yield what the collectors make of files; what was read before a damage counts, `scan` names it."""
    collectors = {name: shelf.collector(name) for name in shelf.names("collectors")}
    for source in (one for path in paths for one in inputs(path, Limits())):
        name = None if isinstance(source, Bad) else claimed(source, collectors)
        if name is not None and not isinstance(source, Bad):
            with suppress(*READ_ERRORS):
                for records, _mark in collectors[name].open(source, ReadOptions()).read(None):
                    yield records


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


def _figure(name: str, runs: list[float], unit: str = "events/s") -> dict[str, Any]:
    rounded: list[float] = [round(run) if run >= 100 else float(f"{run:.3g}") for run in runs]
    return {
        "name": name,
        "unit": unit,
        "runs": rounded,
        "median": statistics.median(rounded),
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


_UNITS: Final = {
    "written_a_second": "events/s",
    "read_a_second": "events/s",
    "saved_a_second": "events/s",
    "commit_ms": "ms",
    "commit_p99_ms": "ms",
    "cpu_us_an_event": "us",
    "merge_us_an_event": "us",
    "stored_an_event": "bytes",
    "rss_mb": "MB",
}
