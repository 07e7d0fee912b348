"""What `scan` and `parse` have in common: options about inputs, times, this machine's logs, the end of a run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import orjson

from vonggac import shelf
from vonggac.cli import ReaderLeftError, Unusable
from vonggac.cli.show import safe
from vonggac.cli.whole import whole
from vonggac.event import LEVELS, Bad, LogSource
from vonggac.i18n import _
from vonggac.pipeline.job import Outcome
from vonggac.reading.journal import JOURNAL, readable
from vonggac.reading.times import from_iso, iso, zone
from vonggac.reading.walk import files

_AGO: Final = re.compile(r"(\d{1,6})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def options_of_inputs(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add PATH… and the options about how it is read."""
    for decorate in (
        click.option("--workers", type=click.IntRange(1, 256), metavar="N", help=_("processes; by default one a core")),
        click.option("--summary", type=click.Path(path_type=Path), metavar="FILE", help=_("counts as JSON to a file")),
        click.option(
            "--logsource", metavar="product=P,category=C,service=S", help=_("what the inputs are, in Sigma's words")
        ),
        click.option("--collector", metavar="NAME", help=_("read everything by this collector")),
        click.argument("paths", nargs=-1, metavar="PATH…"),
    ):
        command = decorate(command)
    return command


@dataclass(frozen=True, slots=True)
class Needed:
    """What a person said about the inputs."""

    collector: str | None
    logsource: str | None
    zone: str

    def check(self) -> None:
        """Refuse a collector that does not exist and a zone that nobody knows."""
        known = shelf.names("collectors")
        if self.collector and self.collector not in known:
            raise Unusable(
                _("no collector {name!r}; known: {known}").format(name=self.collector, known=", ".join(known))
            )
        try:
            zone(self.zone)
        except ValueError as error:
            raise Unusable(f"scan.zone: {error}") from error  # noqa: EM102  the line itself


def given_logsource(text: str | None) -> LogSource | None:
    """Read `product=P,category=C,service=S`, each at most once, at least one."""
    if text is None:
        return None
    found: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = (one.strip() for one in part.partition("="))
        if name not in LogSource._fields or not equals or not value or name in found:
            raise Unusable(
                _("--logsource: {part!r} does not fit; write product=P,category=C,service=S").format(part=part)
            )
        found[name] = value.lower()
    return LogSource(**found)


def moment(text: str | None, now: datetime, option: str) -> str | None:
    """Read ISO 8601 or `24h`, `7d` (before now) into the form of event times."""
    if text is None:
        return None
    if ago := _AGO.fullmatch(text):
        try:
            return iso(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
        except OverflowError as error:
            raise Unusable(_("{option}: {text} lies before all time").format(option=option, text=text)) from error
    try:
        return from_iso(text, zone("Asia/Ho_Chi_Minh"))
    except ValueError as error:
        raise Unusable(
            _("{option}: {text!r} is no time; write 2026-03-01T08:00:00+07:00, 24h or 7d").format(
                option=option, text=text
            )
        ) from error


def this_machine() -> Iterator[str | Bad]:
    """Yield the logs of this machine, and the journal if this user may read one; what it may not read is named."""
    yield from files(["/var/log"])
    if readable():
        yield JOURNAL


def unwritten(error: OSError, output: Path | None) -> Exception:
    """Give what to raise for results that could not be written; a pipe's reader that left is no fault."""
    if isinstance(error, BrokenPipeError):
        return ReaderLeftError()
    where = error.filename or output or _("standard output")
    return Unusable(f"{where}: {error.strerror or error}")


def finish(outcome: Outcome, summary: Path | None, shown: int, *, judged: bool) -> None:
    """Write the summary file, and the summary's few lines to standard error; `judged`: rules were run."""
    counts = outcome.summary()
    if summary:
        try:
            with whole(summary) as stream:
                stream.write(orjson.dumps(counts, option=orjson.OPT_INDENT_2) + b"\n")
        except OSError as error:
            raise Unusable(f"{summary}: {error.strerror}") from error  # noqa: EM102  the line itself
    for refused in counts["rules_refused"][:20]:
        line = _("{path}:{line}: rule refused: {reason}").format(**refused)
        click.echo(safe(line), err=True)
    if (more := len(counts["rules_refused"]) - 20) > 0:
        click.echo(_("… and {more} more refused rules (--summary FILE lists all)").format(more=more), err=True)
    line = _("{inputs} inputs ({failed} failed), {events} events ({bad} unreadable or damaged), {seconds} s, {rss} MB")
    if judged:
        line = _(
            "{inputs} inputs ({failed} failed), {events} events ({bad} unreadable or damaged), "
            "{alerts} alerts, {rules} rules ({refused} refused), {seconds} s, {rss} MB"
        )
    click.echo(
        line.format(
            inputs=counts["inputs"],
            failed=len(counts["inputs_failed"]),
            events=counts["events"],
            bad=counts["events_failed"],
            alerts=counts["alerts"],
            rules=counts["rules_loaded"],
            refused=len(counts["rules_refused"]),
            seconds=counts["seconds"],
            rss=counts["rss_mb"],
        ),
        err=True,
    )
    if unknown := counts["inputs_by_collector"].get("file"):
        click.echo(
            _("{count} inputs are of no known log format: each counts as one file").format(count=unknown), err=True
        )
    if (hidden := counts["events_failed"] - shown) > 0:
        click.echo(_("{hidden} more failed records were counted, not shown").format(hidden=hidden), err=True)


def failing(outcome: Outcome, fail_on: str | None) -> int:
    """Give the exit status: 1 when --fail-on found something, 3 when something could not be read, else 0."""
    by_level: Mapping[str, int] = outcome.tally.by_level
    if fail_on and any(by_level.get(level) for level in LEVELS[LEVELS.index(fail_on) :]):
        return 1
    return 0 if outcome.complete else 3
