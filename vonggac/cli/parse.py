"""`vonggac parse PATH…`: print the events that a scan would judge, one ECS object a line."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from vonggac.cli import Context, Unusable
from vonggac.cli.inputs import Needed, failing, finish, given_logsource, options_of_inputs, unwritten
from vonggac.cli.results import Results
from vonggac.cli.unit import FILE as UNITS
from vonggac.i18n import _
from vonggac.pipeline.job import Job
from vonggac.pipeline.workers import CLOCK, WorkerError, cores, run
from vonggac.reading.times import iso
from vonggac.reading.walk import files


@click.command(
    help=_("Print the events that a scan would judge, one ECS object a line; no detection."),
    epilog="vonggac parse capture.pcap --conversation 10.0.0.5:49152-10.0.0.9:443",
)
@options_of_inputs
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help=_("events to a file"))
@click.option("--conversation", metavar="ID", help=_("one conversation of a capture, dissected by tshark"))
@click.option("--packet", type=click.IntRange(1), metavar="N", help=_("one packet of a capture, layer by layer"))
@click.pass_obj
def parse(context: Context, /, paths: tuple[str, ...], collector: str | None, logsource: str | None,
          summary: Path | None, workers: int | None, output: Path | None,
          conversation: str | None, packet: int | None) -> int:  # fmt: skip
    """Parse; 0 done, 2 unusable, 3 something could not be read."""
    if not paths:
        raise Unusable(_("nothing to read: name files or folders"))
    if conversation is not None or packet is not None:
        return _one(paths, conversation, packet)
    settings = context.settings
    Needed(collector, logsource, settings.scan.zone).check()
    units = context.data / UNITS
    job = Job(
        mode="parse",
        now=iso(datetime.now(UTC)),
        collector=collector,
        logsource=given_logsource(logsource),
        zone=settings.scan.zone,
        units=str(units) if units.exists() else None,
        tshark_seconds=settings.scan.tshark_seconds,
        unpack_ratio=settings.scan.unpack_ratio,
    )
    try:
        with Results("jsonl", output) as results:
            outcome = run(job, list(files(paths)), results, workers or settings.scan.workers or cores(), CLOCK)
            results.finish()
    except (WorkerError, ValueError) as error:
        raise Unusable(str(error)) from error
    except OSError as error:
        raise unwritten(error, output) from error
    finish(outcome, summary, results.shown_failures, judged=False)
    return failing(outcome, None)


def _one(paths: tuple[str, ...], conversation: str | None, packet: int | None) -> int:
    from vonggac.cli import parse_packet

    if len(paths) != 1 or (conversation is not None and packet is not None):
        raise Unusable(_("--conversation ID or --packet N goes with exactly one capture"))
    if conversation is not None:
        return parse_packet.conversation(conversation, paths[0], sys.stdout)
    return parse_packet.packet(int(packet or 1), paths[0], sys.stdout)
