"""`rules check`: our own loading and pySigma's validators over rule files, never with a network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from detectors.sigma._load import Problem, Rule, frame_of, rules_of
from detectors.sigma._texts import Expand
from vonggac.ports import Refused
from vonggac.reading.rulefiles import SIGMA, rule_files
from vonggac.reading.source import display
from vonggac.sigma.rulefile import RuleError, RuleFileError, read

if TYPE_CHECKING:
    from sigma.rule import SigmaRule
    from sigma.validation import SigmaValidator
    from sigma.validators.base import SigmaValidationIssue


@dataclass(frozen=True, slots=True)
class Report:
    """One file: what makes it invalid, and what its author may want to know."""

    path: str
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def check(paths: Iterable[Path], expand: Expand, private: Path) -> Sequence[Report]:
    """Check files and folders; raises OSError for a path that cannot be read.

    `private` is a folder of our own (made 0700) for pySigma's cache. An issue of pySigma's severity high is an error,
    others are warnings.
    """
    reports: dict[str, Report] = {}
    ids: dict[str, Problem] = {}
    rules: list[SigmaRule] = []
    for path in paths:
        path.stat()  # what was named must be there
        for file in (path,) if path.is_file() else rule_files(path, SIGMA):
            if isinstance(file, Refused):
                left_out = Problem(file.path, file.line, "", "file", file.reason)
                reports.setdefault(file.path, Report(file.path)).errors.append(left_out)
                continue
            if str(file) in reports:
                continue
            report = reports[str(file)] = Report(display(str(file)))
            for one in rules_of(file, "check", expand, strict=True):
                if isinstance(one, Problem):
                    report.errors.append(one)
                elif (first := ids.setdefault(one.ref.id, _place(one))) != _place(one):
                    reason = f"rule id {one.ref.id} stands already in {first.path}:{first.line}"
                    report.errors.append(Problem(one.path, one.line, "/id", "id.twice", reason))
            if not report.errors:
                rules.extend(_parsed(file))
    for issue in _issues(_validator(private), rules):
        for rule in issue.rules:
            if rule.source is None or (known := reports.get(str(rule.source.path))) is None:
                continue
            high = issue.severity.name == "HIGH" and type(issue).__name__ not in STYLE
            (known.errors if high else known.warnings).append(_problem(issue, rule))
    return list(reports.values())


def _place(rule: Rule) -> Problem:
    return Problem(rule.path, rule.line, "/id", "id", rule.ref.id)


def _parsed(file: Path) -> Iterator[SigmaRule]:
    """Parse a file that is known to be right once more, for the validators, which want pySigma's own objects."""
    from sigma.exceptions import SigmaRuleLocation

    try:
        for document in read(file):
            rule = frame_of(document.value)
            rule.source = SigmaRuleLocation(file, document.line)
            yield rule
    except (RuleFileError, RuleError, OSError):  # it changed between the two readings; the next check will see it
        return


def _validator(private: Path) -> SigmaValidator:
    """Give pySigma's validators but those that need data from the network; close that way for the rest too."""
    from sigma.data import mitre_attack, mitre_d3fend
    from sigma.validation import SigmaValidator
    from sigma.validators.core import validators

    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    private.chmod(0o700)  # diskcache keeps pickles there
    for source in (mitre_attack, mitre_d3fend):
        source.set_cache_dir(str(private / source.__name__.rpartition(".")[2]))
        source.set_url(os.devnull)  # a file: what still asks for data gets none, and no download
    return SigmaValidator(one for name, one in validators.items() if name not in EXCLUDED)


def _issues(validator: SigmaValidator, rules: Sequence[SigmaRule]) -> Iterator[SigmaValidationIssue]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rule in rules:
            yield from validator.validate_rule(rule)
        yield from validator.finalize()


def _problem(issue: SigmaValidationIssue, rule: Any) -> Problem:
    kind = type(issue).__name__.removesuffix("Issue")
    details = {name: value for name, value in vars(issue).items() if name not in ("rules", "severity", "description")}
    told = "; ".join(f"{name} {str(value)[:120]}" for name, value in details.items() if value is not None)
    reason = f"{issue.description} ({told})" if told else issue.description
    return Problem(display(str(rule.source.path)), rule.source.line or 1, "", kind, " ".join(reason.split())[:500])


#: need ATT&CK or D3FEND data, which pySigma downloads
EXCLUDED: Final = frozenset(("attacktag", "d3_fendtag"))
#: of severity high in pySigma, yet such a rule does what it says
STYLE: Final = frozenset(("SpecificInsteadOfGenericLogsourceIssue", "FilenameLengthIssue"))
