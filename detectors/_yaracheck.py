"""Check YARA rule files: each compiled by itself, what does not compile named with its line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from detectors._yarapack import load
from vonggac.ports import Refused, RuleSource
from vonggac.reading.rulefiles import YARA, rule_files
from vonggac.reading.source import display


@dataclass(frozen=True, slots=True)
class YaraReport:
    """One file, and what of it does not run."""

    path: str
    errors: tuple[Refused, ...]


def check(paths: Iterable[Path]) -> list[YaraReport]:
    """Report on each YARA file below the paths; raises OSError for a path that cannot be read."""
    reports: list[YaraReport] = []
    for root in paths:
        refused = load([RuleSource("check", root)], "informational", None).refused
        found = [one.path if isinstance(one, Refused) else display(str(one)) for one in rule_files(root, YARA)]
        reports += [YaraReport(path, tuple(one for one in refused if one.path == path)) for path in found]
    return reports
