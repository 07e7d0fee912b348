"""`vonggac rules list|check|add|remove`: rule packs, ours and those from elsewhere."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import click
import orjson

from vonggac.cli import Context, Unusable
from vonggac.cli.packs import active
from vonggac.cli.show import COLOURS, safe, table, wants_json
from vonggac.cli.titles import titles
from vonggac.i18n import _, language, later
from vonggac.reading.rulefiles import SIGMA, YARA, rule_files


@click.group(help=_("Rule packs: ours, SigmaHQ's, the province's own."), epilog="vonggac rules add sigma_all_rules.zip")
def rules() -> None:
    """Hold the commands below."""


@rules.command("list", help=_("List the packs, or the rules of one pack."), epilog="vonggac rules list sigmahq")
@click.argument("pack", required=False)
@click.pass_obj
def list_(context: Context, pack: str | None) -> None:
    """Print a pack a line; with a name, a rule a line."""
    if pack is None:
        _list_packs(context)
    else:
        _list_rules(context, pack)


def _list_packs(context: Context) -> None:
    from vonggac.sigma import packs

    try:
        added = {one.name: one for one in packs.listed(context.data)}
        sources = active(context.data, context.settings.rules.packs, builtin=True, only=False)
        rows = []
        for source in sources:
            row = {"name": source.name, "files": _count(source.root), "origin": str(source.root)}
            if (known := added.get(source.name)) is not None:
                row |= {"origin": known.origin, "licence": known.licence, "digest": known.digest, "added": known.added}
            elif source.name == packs.BUILTIN:
                row |= {"origin": packs.BUILTIN, "licence": "Apache-2.0"}
            rows.append(row)
    except (OSError, ValueError) as error:
        raise Unusable(str(error)) from error
    if wants_json(context):
        for row in rows:
            click.echo(orjson.dumps(row))
        return
    columns = (later("name"), later("files"), later("licence"), later("origin"), later("added"), later("digest"))
    table([_(one) for one in columns], [[row.get(one, "") for one in columns] for row in rows])


def _count(root: Path) -> int:
    """Count the rule files of a pack, Sigma's and YARA's."""
    return sum(isinstance(one, Path) for one in rule_files(root, SIGMA + YARA))


def _list_rules(context: Context, name: str) -> None:
    from detectors.sigma._load import Rule, rules_of

    try:
        packs = active(context.data, context.settings.rules.packs, builtin=True, only=False)
        if not (chosen := [one for one in packs if one.name == name]):
            known = ", ".join(one.name for one in packs)
            raise Unusable(_("no rule pack {name!r}; known: {known}").format(name=name, known=known))
        found = [
            one
            for path in rule_files(chosen[0].root, SIGMA)
            if isinstance(path, Path)
            for one in rules_of(path, name, context.settings.rules.expand)
            if isinstance(one, Rule)
        ]
    except (OSError, ValueError) as error:
        raise Unusable(str(error)) from error
    if wants_json(context):
        for one in found:
            told = {"id": one.ref.id, "name": one.ref.name, "level": one.ref.level, "logsource": str(one.source)}
            click.echo(orjson.dumps(told | {"path": one.path, "line": one.line}))
        return
    named = titles(language())
    shown = [[one.ref.level, named.get(one.ref.id, one.ref.name), str(one.source), one.ref.id] for one in found]
    table(
        [_("level"), _("name"), _("log source"), "id"], shown, [COLOURS[one.ref.level] for one in found], fixed=(0, 3)
    )


@rules.command(help=_("Check rule files; exit status 1 when one is invalid."), epilog="vonggac rules check rules/sigma")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@click.pass_context
def check(ctx: click.Context, paths: Sequence[Path]) -> None:
    """Print a file a line: `{"path", "valid", "errors": [{"at", "rule", "reason"}], "warnings": […]}`."""
    from detectors.sigma._load import Problem
    from detectors.sigma.check import Report
    from detectors.sigma.check import check as checked
    from vonggac.reading.rulefiles import YARA

    context: Context = ctx.obj
    try:
        sigma = [one for one in paths if one.suffix.lower() not in YARA]
        reports = list(checked(sigma, context.settings.rules.expand, context.data / "cache" / "pysigma"))
        for one in importlib.import_module("detectors._yaracheck").check(paths):
            problems = [Problem(bad.path, bad.line, "", "yara", bad.reason) for bad in one.errors]
            reports.append(Report(one.path, problems))
    except OSError as error:
        raise Unusable(f"{error.filename}: {error.strerror}") from error  # noqa: EM102  the line itself
    if not reports:
        raise Unusable(
            _("no rule files (.yml, .yaml, .yar, .yara) in {paths}").format(paths=", ".join(map(str, paths)))
        )

    def told(found: Sequence[Problem]) -> list[dict[str, str | int]]:
        return [{"at": one.at, "rule": one.kind, "reason": one.reason, "line": one.line} for one in found]

    if wants_json(context):
        for report in reports:
            line = {"path": report.path, "valid": not report.errors, "errors": told(report.errors)}
            click.echo(orjson.dumps(line | {"warnings": told(report.warnings)}))
    else:
        for report in reports:
            for found in (*report.errors, *report.warnings):
                click.echo(safe(f"{found.path}:{found.line}: {found.kind}: {found.reason}"))
    bad = sum(bool(report.errors) for report in reports)
    click.echo(_("{files} files, {bad} invalid").format(files=len(reports), bad=bad), err=True)
    ctx.exit(1 if bad else 0)


@rules.command(help=_("Add a pack from a folder, .zip or .tar.gz."), epilog="vonggac rules add sigma_all_rules.zip")
@click.argument("source", type=click.Path(path_type=Path), metavar="PATH")
@click.option("--name", metavar="NAME", help=_("the pack's name; by default that of the file"))
@click.option("--replace", "again", is_flag=True, help=_("take the place of the pack of this name"))
@click.pass_obj
def add(context: Context, source: Path, name: str | None, again: bool) -> None:
    """Put a pack in place and say what it is."""
    from vonggac.sigma import packs

    try:
        pack = packs.add(source, context.data, name, replace=again)
    except packs.PackError as error:
        raise Unusable(str(error)) from error
    except OSError as error:
        raise Unusable(f"{error.filename or source}: {error.strerror or error}") from error  # noqa: EM102
    if wants_json(context):
        row = {one: getattr(pack, one) for one in ("name", "origin", "digest", "licence", "added", "files", "skipped")}
        click.echo(orjson.dumps(row))
    left = _(", {count} links left out").format(count=len(pack.skipped)) if pack.skipped else ""
    click.echo(_("pack {name}: {files} files").format(name=pack.name, files=pack.files) + left, err=True)


@rules.command(help=_("Remove an added pack."), epilog="vonggac rules remove sigmahq")
@click.argument("name")
@click.pass_obj
def remove(context: Context, name: str) -> None:
    """Take a pack out of use."""
    from vonggac.sigma import packs

    try:
        packs.remove(name, context.data)
    except packs.PackError as error:
        raise Unusable(str(error)) from error
    except OSError as error:
        raise Unusable(f"{error.filename}: {error.strerror}") from error  # noqa: EM102
    click.echo(_("pack {name} removed").format(name=name), err=True)
