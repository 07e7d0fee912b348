"""`vonggac sources`: is every source still sending; what each sent day by day, and that nobody changed that record."""

from __future__ import annotations

import importlib
from typing import Any

import click
import orjson

from vonggac.cli import Context, Unusable
from vonggac.cli.show import table, wants_json
from vonggac.health.fold import Fold, Status
from vonggac.health.ledger import Day
from vonggac.health.rules import iso, local
from vonggac.i18n import _, later

#: states that are no fault
_WELL = {
    "ok": later("ok"),
    "learning": later("learning"),
    "file": later("file"),
    "others": later("the others together"),
}
_ILL = {
    "silence": later("silent"),
    "rate-collapse": later("sends far less"),
    "shape-change": later("other fields"),
    "parse-failures": later("unreadable"),
    "clock": later("wrong clock"),
}


@click.command(help=_("Sources: last event, rate, failures, clock; the ill ones first."), epilog="vonggac sources")
@click.option("--days", metavar="DAY", help=_("the rows of each source and day from DAY on, such as 2026-03-01"))
@click.option("--verify", is_flag=True, help=_("check that no row was changed, cut or moved; exit status 1 if one was"))
@click.pass_obj
def sources(context: Context, days: str | None, verify: bool) -> int:
    """Read what the health task saved last; nothing is measured here."""
    module = importlib.import_module("connectors.health_ledger")  # by name: SQLite is the connectors' own
    path = context.data / module.NAME
    if not path.is_file():
        raise Unusable(_("{path}: nothing was measured yet: start `vonggac run`").format(path=path))
    try:
        ledger = module.HealthLedger(path)
        if verify:
            return _verified(context, ledger.verify(), ledger.head())
        if days is not None:
            _show_days(context, (row.body for row in ledger.rows(_day(days))))
            return 0
        loaded = ledger.load()
        fold = Fold(context.settings.health)
        if loaded is not None:
            fold.restore(loaded[0])
    except (OSError, ValueError) as error:
        raise Unusable(str(error)) from error
    if not fold.at:
        raise Unusable(_("{path}: nothing was measured yet: start `vonggac run`").format(path=path))
    found = sorted(fold.sources(), key=lambda one: (one.state in _WELL, one.unit, one.source))
    _show(context, found, fold.at)
    return 0


def _show(context: Context, found: list[Status], at: int) -> None:
    if wants_json(context):
        for one in found:
            click.echo(orjson.dumps(_object(one, at)))
        return
    columns = [_("collector"), _("host"), _("dataset"), _("unit"), _("last event"), _("an hour"), _("usual"),
               _("unreadable"), _("clock, s"), _("state")]  # fmt: skip
    rows = [
        [
            one.source.collector,
            one.source.host,
            one.source.dataset,
            one.unit,
            local(one.last) if one.last else "",
            f"{one.rate:,.0f}",
            "" if one.usual is None else f"{one.usual:,.0f}",
            f"{one.failed:.0%}" if one.failed else "",
            "" if one.offset_s is None else f"{one.offset_s:+,.0f}",
            _state(one),
        ]
        for one in found
    ]
    table(columns, rows, ["" if one.state in _WELL else "red" for one in found], fixed=(4,))
    ill = sum(one.state not in _WELL for one in found)
    said = _("{count} sources, {ill} of them ill; as of {time}").format(count=len(found), ill=ill, time=local(at))
    click.echo(said, err=True)


def _state(one: Status) -> str:
    if one.state in _WELL:
        return _(_WELL[one.state])
    said = ", ".join(_(_ILL[part]) for part in one.state.split())
    return _("{state} since {time}").format(state=said, time=local(one.since)) if one.since else said


def _object(one: Status, at: int) -> dict[str, Any]:
    source: dict[str, Any] = {"collector": one.source.collector, "host": one.source.host, "dataset": one.source.dataset}
    if one.source.drill:
        source["drill"] = one.source.drill
    return {
        "source": {**source, "bounded": one.source.bounded, "unit": one.unit},
        "last": iso(one.last) if one.last else None,
        "rate_per_hour": one.rate,
        "usual_per_hour": one.usual,
        "failed_share": round(one.failed, 4),
        "offset_s": one.offset_s,
        "state": one.state.split(),
        "since": iso(one.since) if one.since else None,
        "as_of": iso(at),
    }


def _day(text: str) -> str:
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        msg = _("--days {text}: a day is wanted, such as 2026-03-01").format(text=repr(text))
        raise Unusable(msg) from None


def _show_days(context: Context, bodies: Any) -> None:
    from vonggac.health.ledger import read

    if wants_json(context):
        for body in bodies:
            click.echo(body.encode())
        return
    columns = [_("day"), _("collector"), _("host"), _("dataset"), _("unit"), _("events"), _("unreadable"),
               _("minutes silent"), _("minutes watched"), _("clock, s"), _("changes")]  # fmt: skip
    table(columns, (_cells(read(body)) for body in bodies), fixed=(0,))


def _cells(row: Day) -> list[str]:
    offset = "" if row.offset_s is None else f"{row.offset_s:+,.0f}"
    source = [row.source.collector, row.source.host or _("the service itself"), row.source.dataset]
    counts = [f"{row.events:,}", f"{row.failed:,}", str(row.silent), str(row.watched)]
    return [row.day, *source, row.unit, *counts, offset, "; ".join(row.changes)]


def _verified(context: Context, wrong: str | None, head: tuple[int, str]) -> int:
    number, chain = head
    if wants_json(context):
        click.echo(orjson.dumps({"valid": wrong is None, "rows": number, "head": chain, "reason": wrong}))
    elif wrong is None:
        click.echo(_("{count} rows, whole; the last one's hash is {hash}").format(count=number, hash=chain))
    if wrong is not None:
        click.echo(_("the record of the sources is not whole: {reason}").format(reason=wrong), err=True)
    return 0 if wrong is None else 1
