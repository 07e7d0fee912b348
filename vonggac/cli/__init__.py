"""The command line: one module a command group, loaded only when called. The one place that joins everything."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from vonggac import __version__
from vonggac.cli.show import safe
from vonggac.i18n import _, later, speak, wanted
from vonggac.settings import Settings, SettingsError, load

#: command -> the module that has it, under the same name
COMMANDS = {
    "run": "run",
    "scan": "scan",
    "parse": "parse",
    "hunt": "hunt",
    "rules": "rules",
    "unit": "unit",
    "sources": "sources",
    "config": "config",
    "check": "check",
    "backup": "backup",
    "restore": "restore",
    "bench": "bench",
}


@dataclass(frozen=True, slots=True)
class Context:
    """What every command gets as `ctx.obj`."""

    settings: Settings
    json: bool = False

    @property
    def data(self) -> Path:
        """The state folder."""
        return self.settings.folder


class Unusable(click.ClickException):
    """Wrong use, or an input that cannot be used: one line, exit status 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the one line."""
        click.echo(f"vonggac: {safe(self.message)}", file=file, err=file is None)


class ReaderLeftError(Exception):
    """The reader of our output left (`| head`): exit status 0. No OSError, for which click has its own way."""


class Commands(click.Group):
    """Loads a command's module only when it is called: `--help` imports none of them."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; the reader of its output may leave at any time."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ReaderLeftError from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in reading order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command, with the options that every command has."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"vonggac.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return _with_common(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line a command, from the table at the foot."""
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _(HELP[name])) for name in COMMANDS])


def _with_common(command: click.Command) -> click.Command:
    """Give a command, and all below it, --config, --data, --lang and --json: they may stand behind its name too."""
    if not any(parameter.name == "config_file" for parameter in command.params):
        command.params += _common()
    command.options_metavar = _("[OPTIONS]")
    if isinstance(command, click.Group):
        command.subcommand_metavar = _("COMMAND [ARGS]…")
        for inner in command.commands.values():
            _with_common(inner)
    return command


def _common() -> list[click.Parameter]:
    def option(*names: str, help: str, **more: Any) -> click.Option:
        return click.Option(names, help=help, expose_value=False, callback=_given, **more)

    return [
        option("--config", "config_file", metavar="FILE", help=_("settings (TOML); also VONGGAC_CONFIG")),
        option("--data", metavar="DIR", help=_("the state folder; also VONGGAC_DATA")),
        option("--lang", metavar="vi|en", help=_("language; by default that of the locale, Vietnamese otherwise")),
        option("--json", "as_json", is_flag=True, help=_("one JSON object a line on standard output")),
    ]


def _given(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Note a common option at whichever level it stood, and make the context anew."""
    if value in (None, False):
        if ctx.obj is None:
            ctx.obj = _context({})
        return value
    given = {**ctx.find_root().meta.get("vonggac", {}), str(parameter.name): value}
    ctx.find_root().meta["vonggac"] = given
    ctx.obj = _context(given)
    return value


def _context(given: dict[str, Any]) -> Context:
    overrides: dict[str, Any] = {name: given[name] for name in ("data", "lang") if name in given}
    try:
        settings = load(given.get("config_file"), os.environ, overrides)
        if settings.lang:
            speak(settings.lang)
    except (SettingsError, ValueError) as error:
        raise Unusable(str(error)) from error
    return Context(settings, json=bool(given.get("as_json")))


def build() -> click.Group:
    """Make the command in the language in force."""
    group = Commands(
        "vonggac",
        help=_("Vọng Gác, the sentry's post: real logs in, alerts out."),
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        epilog="vonggac scan /srv/logs --rules sigmahq --min-level high",
    )
    _with_common(group)
    return click.version_option(__version__, message="vonggac %(version)s")(group)


def main() -> NoReturn:
    """Run the command line; exit statuses are those of cli.md: 0, 1, 2, 3, 130."""
    if (
        sys.stdout is None or sys.stderr is None
    ):  # closed by who started us: what we open next would stand in their place
        sys.exit(2)
    for ending in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: nothing half-written stays
        signal.signal(ending, signal.default_int_handler)
    try:
        speak(wanted(sys.argv[1:], os.environ))
    except ValueError as error:
        click.echo(f"vonggac: {error}", err=True)
        sys.exit(2)
    try:
        status = build().main(prog_name="vonggac", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except KeyboardInterrupt:
        sys.exit(130)
    except click.UsageError as error:
        where = f" ({error.ctx.command_path} --help)" if error.ctx else ""
        click.echo(safe(f"vonggac: {error.format_message()}{where}"), err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (ReaderLeftError, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)


HELP = {
    "run": later("the service: collect, detect, store; alerts live"),
    "scan": later("read files or folders, run the detectors, print alerts"),
    "parse": later("print the events that a scan would judge"),
    "hunt": later("search stored events and alerts, and sum them up"),
    "rules": later("rule packs: ours, SigmaHQ's, the province's own"),
    "unit": later("the unit tree: departments, communes, their hosts and networks"),
    "sources": later("sources: last event, rate, failures, clock; which of them are ill"),
    "config": later("settings in force"),
    "check": later("is everything in order: settings, rules, machine, service, what it keeps"),
    "backup": later("copy the state into a folder, also while the service runs"),
    "restore": later("bring a backup's state back"),
    "bench": later("measure itself on this machine"),
}
