"""`vonggac run`: the service, all roles under one supervisor, or one role in this process."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import click
import msgspec
import orjson

from vonggac.cli import Context, Unusable
from vonggac.cli._service import ROLES, roles_of
from vonggac.cli.live import FORMS
from vonggac.i18n import _, language
from vonggac.pipeline.notify import teller
from vonggac.pipeline.pages import look
from vonggac.pipeline.supervisor import UNUSABLE, Role, Supervisor
from vonggac.settings import Settings, SettingsError, load

_log = logging.getLogger(__name__)


@click.command(
    help=_("The service: collect, detect and store what comes in, around the clock; alerts live on a terminal."),
    epilog="vonggac run",
)
@click.option("--role", "roles", multiple=True, type=click.Choice(ROLES), help=_("only this role, in this process"))
@click.option("--worker", default="0/1", metavar="N/M", help=_("with --role detect: which worker of how many, from 0"))
@click.option("--alerts", type=click.Choice(FORMS), help=_("live alerts on standard error; a terminal gets a table"))
@click.pass_obj
def run(context: Context, roles: Sequence[str], worker: str, alerts: str | None) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    settings = context.settings
    data = context.data
    alerts = alerts or ("table" if sys.stderr.isatty() else "none")
    os.umask(os.umask(0) | 0o027)  # logs are not for everybody; the roles have it from us
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o750)
        (data / "inbox").mkdir(exist_ok=True, mode=0o750)
    except OSError as error:
        raise Unusable(f"{error.filename}: {error.strerror}") from error  # noqa: EM102  the line itself
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="vonggac: %(message)s")
    settings = msgspec.structs.replace(settings, data=str(data))
    chosen = tuple(dict.fromkeys(roles)) or ROLES
    if worker != "0/1" and chosen != ("detect",):
        raise Unusable(_("--worker goes with --role detect alone"))
    if len(chosen) == 1:
        return _one(settings, chosen[0], worker, alerts)
    with locked(data, chosen):
        return _all(settings, chosen, alerts)


def _all(settings: Settings, chosen: Sequence[str], alerts: str) -> int:
    given = click.get_current_context().find_root().meta.get("vonggac", {})

    def reload() -> Sequence[Role] | None:
        overrides = {name: given[name] for name in ("data", "lang") if name in given}
        try:
            fresh = load(given.get("config_file"), os.environ, overrides)
        except SettingsError as error:
            _log.error("the new settings are refused, the old ones stay: %s", error)
            return None
        try:
            return roles_of(msgspec.structs.replace(fresh, data=settings.data), chosen, alerts)
        except (OSError, ValueError) as error:
            _log.error("the rules cannot be read again, the old ones stay: %s", error)
            return None

    data = Path(settings.data)
    command = (sys.executable, "-P", "-m", "vonggac.cli._role")

    def ready() -> None:
        line: dict[str, Any] = {"ready": True, "console": _console(data), "pid": os.getpid()}
        click.echo(orjson.dumps(line))

    try:
        roles = roles_of(settings, chosen, alerts)
    except (OSError, ValueError) as error:
        raise Unusable(str(error)) from error
    return Supervisor(data, command, roles, reload, teller(os.environ)).run(ready)


def _one(settings: Settings, role: str, worker: str, alerts: str) -> int:
    """Be one role, for a service manager that starts each by itself."""
    from vonggac.cli import _role

    number, slash, count = worker.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and int(number) < int(count)):
        raise Unusable(_("--worker {worker}: write 0/2 for the first of two").format(worker=worker))
    spec = _role.Spec(role, settings, int(number), int(count), alerts=alerts, lang=language())
    with locked(Path(settings.data), [f"{role}-{number}"]):
        status = _role.run(spec)
    return 2 if status == UNUSABLE else status


@contextlib.contextmanager
def locked(data: Path, roles: Sequence[str]) -> Iterator[None]:
    """Keep others from running the same roles on the same data; says who does."""
    folder = data / "run"
    folder.mkdir(exist_ok=True, mode=0o750)
    with contextlib.ExitStack() as held:
        for role in roles:
            name = role if "-" in role else f"{role}-0"
            file: IO[bytes] = held.enter_context((folder / f"{name}.lock").open("a+b"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                who = file.read(20).decode("ascii", "replace").strip()
                line = _(
                    "{data}: role {role} runs already (process {who}): one service a state folder; stop it, or --data"
                )
                raise Unusable(line.format(data=data, role=name, who=who or "?")) from error
            file.truncate(0)
            file.write(b"%d\n" % os.getpid())
            file.flush()
        yield


def _console(data: Path) -> str | None:
    desk = look(data).get("desk-0")
    return None if desk is None else desk.notes.get("console")
