"""`vonggac backup DEST`: the state, also while the service runs, as a folder of plain files with their digests."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson

from vonggac import __version__
from vonggac.cli import Context, Unusable
from vonggac.cli.show import safe, wants_json
from vonggac.i18n import _
from vonggac.reading.times import iso


@click.command(help=_("Copy the state (events, alerts, log, units, packs) into a new folder; the service may run."),
               epilog="vonggac backup /srv/backup/2026-03-01")  # fmt: skip
@click.argument("dest", type=click.Path(path_type=Path))
@click.pass_obj
def backup(context: Context, dest: Path) -> None:
    """Make a backup and say what is in it."""
    module = importlib.import_module("connectors.embedded_backup")
    if not any(module.state_of(context.data)):
        raise Unusable(_("{data}: nothing to back up").format(data=context.data))
    try:
        with progress() as told:
            account = module.backup(context.data, dest, iso(datetime.now(UTC)), __version__, told)
    except OSError as error:
        raise Unusable(f"{error.filename or dest}: {error.strerror}") from error  # noqa: EM102  the line itself
    except ValueError as error:  # a store of a newer format, or a damaged one
        raise Unusable(str(error)) from error
    if wants_json(context):
        click.echo(
            orjson.dumps({"path": str(dest), "files": account.files, "bytes": account.bytes, "rows": account.rows})
        )
    line = _("{dest}: {rows} events and alerts, {files} files, {mb} MB")
    click.echo(safe(line.format(dest=dest, rows=account.rows, files=account.files, mb=account.bytes >> 20)), err=True)


class progress:
    """Shows on a terminal which file is in work."""

    def __enter__(self) -> Callable[[str], None]:
        self._shown = sys.stderr.isatty()
        return self._say

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo("\r\x1b[K", nl=False, err=True)

    def _say(self, name: str) -> None:
        if self._shown:
            click.echo(f"\r\x1b[K{safe(name)[-78:]}", nl=False, err=True)
