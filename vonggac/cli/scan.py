"""`vonggac scan PATH…`: read files or folders, run the detectors, print alerts."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from vonggac import shelf
from vonggac.cli import Context, Unusable
from vonggac.cli.inputs import (
    Needed,
    failing,
    finish,
    given_logsource,
    moment,
    options_of_inputs,
    this_machine,
    unwritten,
)
from vonggac.cli.packs import active
from vonggac.cli.results import FORMATS, Results
from vonggac.cli.show import wants_json
from vonggac.cli.unit import FILE as UNITS
from vonggac.event import LEVELS
from vonggac.i18n import _
from vonggac.intake.spool import SpoolWriter
from vonggac.pipeline.job import Job
from vonggac.pipeline.workers import CLOCK, WorkerError, cores, run
from vonggac.reading.times import iso
from vonggac.reading.walk import files


@click.command(
    help=_("Read files or folders (also .gz .zst .zip .tar.gz), run the detectors, print alerts."),
    epilog="vonggac scan /srv/evtx --min-level high --format timeline --output day.csv",
)
@options_of_inputs
@click.option("--rules", "packs", multiple=True, metavar="PATH|PACK", help=_("only these packs besides our own"))
@click.option("--no-builtin-rules", is_flag=True, help=_("without our own rules"))
@click.option("--detector", "detectors", multiple=True, metavar="NAME", help=_("only these detectors: sigma, yara"))
@click.option("--min-level", type=click.Choice(LEVELS), default="informational", help=_("the lowest level of interest"))
@click.option("--since", metavar="T", help=_("events from then on: ISO 8601, or 24h, 7d before now"))
@click.option("--until", metavar="T", help=_("events before then"))
@click.option("--drill", metavar="NAME", help=_("mark everything as part of an exercise (labels.drill)"))
@click.option("--this-machine", "own", is_flag=True, help=_("also /var/log and the journal of this machine"))
@click.option("--format", "form", type=click.Choice(FORMATS), help=_("table on a terminal, jsonl in a pipe"))
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help=_("alerts to a file"))
@click.option("--store", is_flag=True, help=_("hand the events over to `vonggac run`, which stores them"))
@click.option("--fail-on", type=click.Choice(LEVELS), help=_("exit status 1 when an alert is at least of this level"))
@click.pass_obj
def scan(context: Context, /, paths: tuple[str, ...], own: bool, form: str | None, output: Path | None,
         fail_on: str | None, summary: Path | None, workers: int | None, store: bool, **asked: Any) -> int:  # fmt: skip
    """Scan; 0 done, 1 --fail-on found something, 2 unusable, 3 something could not be read."""
    now = datetime.now(UTC)
    job = replace(_job(context, now, asked), store=store)
    if not paths and not own:
        raise Unusable(_("nothing to scan: name files or folders, or --this-machine"))
    wanted = [*files(paths), *(this_machine() if own else ())]
    form = form or ("jsonl" if output or wants_json(context) else "table")
    try:
        with Results(form, output) as results, _spool(context, store) as spool:
            keep = spool.add if spool else None
            outcome = run(job, wanted, results, workers or context.settings.scan.workers or cores(), CLOCK, keep)
            results.finish()
            handed = spool.finish() if spool else 0
    except (WorkerError, ValueError) as error:
        raise Unusable(str(error)) from error
    except OSError as error:
        raise unwritten(error, output) from error
    if store:
        line = _("{count} events handed over: `vonggac run` stores them, now or when it is started next")
        click.echo(line.format(count=handed), err=True)
    finish(outcome, summary, results.shown_failures, judged=True)
    return failing(outcome, fail_on)


def _spool(context: Context, store: bool) -> AbstractContextManager[SpoolWriter | None]:
    """Give what takes the events for the store."""
    return SpoolWriter(context.data / "inbox") if store else nullcontext()


def _job(context: Context, now: datetime, asked: dict[str, Any]) -> Job:
    """Check everything that a person said before anything is read."""
    settings = context.settings
    needed = Needed(asked.pop("collector"), asked.pop("logsource"), settings.scan.zone)
    needed.check()
    for name in asked["detectors"]:
        if name not in shelf.names("detectors"):
            known = ", ".join(shelf.names("detectors"))
            raise Unusable(_("no detector {name!r}; known: {known}").format(name=name, known=known))
    try:
        chosen = asked["packs"] or settings.rules.packs
        packs = active(context.data, chosen, builtin=not asked["no_builtin_rules"], only=bool(asked["packs"]))
    except (OSError, ValueError) as error:
        raise Unusable(str(error)) from error
    units = context.data / UNITS
    return Job(
        mode="scan",
        now=iso(now),
        packs=tuple((pack.name, str(pack.root)) for pack in packs),
        detectors=tuple(dict.fromkeys(asked["detectors"])),
        collector=needed.collector,
        logsource=given_logsource(needed.logsource),
        zone=settings.scan.zone,
        min_level=asked["min_level"],
        since=moment(asked["since"], now, "--since"),
        until=moment(asked["until"], now, "--until"),
        drill=asked["drill"],
        units=str(units) if units.exists() else None,
        cache=str(context.data / "cache"),
        expand=dict(settings.rules.expand),
        tshark_seconds=settings.scan.tshark_seconds,
        unpack_ratio=settings.scan.unpack_ratio,
    )
