"""`vonggac restore SRC`: bring a backup's state back, every file checked; the service must not run."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from vonggac.cli import Context, Unusable
from vonggac.cli._service import ROLES
from vonggac.cli.backup import progress
from vonggac.cli.run import locked
from vonggac.cli.show import safe
from vonggac.i18n import _


@click.command(help=_("Bring back what `backup` wrote, into a state folder that has no state."),
               epilog="vonggac restore /srv/backup/2026-03-01")  # fmt: skip
@click.argument("src", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.pass_obj
def restore(context: Context, src: Path) -> None:
    """Restore and say what came back."""
    module = importlib.import_module("connectors.embedded_backup")
    try:
        context.data.mkdir(parents=True, exist_ok=True, mode=0o750)
        with locked(context.data, ROLES), progress() as told:
            account = module.restore(src, context.data, told)
    except module.Spoiled as error:
        raise Unusable(str(error)) from error
    except OSError as error:
        raise Unusable(f"{error.filename or context.data}: {error.strerror}") from error  # noqa: EM102  the line itself
    line = _("{data}: {rows} events and alerts are back, {files} files, {mb} MB")
    click.echo(
        safe(line.format(data=context.data, rows=account.rows, files=account.files, mb=account.bytes >> 20)), err=True
    )
