"""Rule files into rules: read within limits, judged by pySigma, compiled; what does not run is a Problem with its line.

pySigma says whether a rule is well-formed and gives its frame (title, id, level, tags, log source). The detection is
compiled from the same document, since pySigma passes numbers through floats, knows no `utf16le` and keeps no lines.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from detectors.sigma import _attack
from detectors.sigma._texts import Expand
from detectors.sigma.reference import Node, compile_rule
from vonggac.event import LEVELS, LogSource, RuleRef, digest
from vonggac.reading.source import display
from vonggac.sigma.rulefile import At, Document, RuleError, RuleFileError, read

if TYPE_CHECKING:
    from sigma.rule import SigmaRule


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that runs, and where it stands."""

    ref: RuleRef
    source: LogSource
    node: Node
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that does not: `at` is a JSON pointer into its document, `kind` names the check."""

    path: str
    line: int
    at: str
    kind: str
    reason: str


def rules_of(path: Path, ruleset: str, expand: Expand, *, strict: bool = False) -> Iterator[Rule | Problem]:
    """Read a file's rules. YAML that is no Sigma at all (a pack's own settings) is passed over unless `strict`."""
    try:
        documents = read(path)
    except RuleFileError as error:
        yield Problem(display(str(path)), error.line, "", "yaml", error.reason)
        return
    except OSError as error:
        yield Problem(display(str(path)), 1, "", "file", f"cannot be read: {error.strerror or error}")
        return
    if not documents and strict:
        yield Problem(display(str(path)), 1, "", "yaml", "no document")
    for document in documents:
        if not strict and not (isinstance(document.value, dict) and document.value.keys() & _SIGMA):
            continue
        try:
            yield rule_of(document, display(str(path)), ruleset, expand)
        except RuleError as error:
            yield Problem(
                display(str(path)),
                document.line_of(error.at),
                pointer(error.at),
                error.kind,
                " ".join(error.reason.split())[:500],
            )


def rule_of(document: Document, path: str, ruleset: str, expand: Expand) -> Rule:
    """Compile one rule; raises RuleError."""
    value = document.value
    if not isinstance(value, dict):
        raise RuleError((), "document", "a rule is a map")
    for key, reason in _OTHER_KINDS.items():
        if key in value:
            raise RuleError((key,), key, reason)
    # ours first: it knows the line of each item, pySigma only the rule's
    node = compile_rule(value["detection"], expand) if "detection" in value else None
    parsed = frame_of(value)
    if node is None:
        raise RuleError((), "detection", "no detection")
    if parsed.taxonomy != "sigma":
        raise RuleError(("taxonomy",), "taxonomy", f"taxonomy {parsed.taxonomy!r} is not known, only sigma")
    if parsed.status is not None and parsed.status.name == "UNSUPPORTED":
        raise RuleError(("status",), "status", "its author marked it unsupported")
    title = " ".join(parsed.title.split())
    level = parsed.level.name.lower() if parsed.level is not None else "medium"
    if level not in LEVELS:
        raise RuleError(("level",), "level", f"no level {level!r}")
    tags = [str(tag).lower() for tag in parsed.tags]
    # alert ids hang on the rule's id: without one, on what is least likely to change
    own = str(parsed.id or parsed.name or digest("sigma rule", ruleset, title))
    ref = RuleRef(
        id=own,
        name=title,
        level=level,
        ruleset=ruleset,
        version=digest(document.text),
        techniques=_attack.techniques(tags),
        tactics=_attack.tactics(tags),
    )
    where = parsed.logsource
    source = LogSource(*(part.lower() if part else None for part in (where.product, where.category, where.service)))
    return Rule(ref, source, node, path, document.line)


def frame_of(value: Mapping[str, Any]) -> SigmaRule:
    """Have pySigma judge a rule; raises RuleError."""
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaRule

    for name in ("id", "name"):
        if not isinstance(value.get(name, ""), str):
            raise RuleError((name,), "frame", f"{name} must be text")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's re warns of what RE2 then judges
            return SigmaRule.from_dict(_for_pysigma(dict(value)))
    except SigmaError as error:
        raise RuleError(_part(type(error).__name__), type(error).__name__, str(error.args[0])) from error
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError, OverflowError) as error:
        # what pySigma lets through for values of kinds that it did not expect
        raise RuleError((), "pysigma", f"not a rule: {error}") from error


def pointer(at: At) -> str:
    """Give a JSON pointer: `/detection/selection/Image`."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in at)


def _part(name: str) -> At:
    """Guess the key from pySigma's error class: SigmaLevelError speaks of `level`."""
    key = name.removeprefix("Sigma").removesuffix("Error").lower()
    return (_KEYS.get(key, key),)


def _for_pysigma(value: Any, depth: int = 0) -> Any:
    """Copy a document for pySigma: Decimals as floats, and without the utf16 modifiers, which it knows by halves."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_for_pysigma(one, depth + 1) for one in value]
    if not isinstance(value, dict):
        return value
    copy: dict[str, Any] = {}
    for key, inner in value.items():
        name = key
        if depth >= 2 and "|" in key:
            name = "|".join(part for part in key.split("|") if part not in _UTF16)
        copy[key if name in copy else name] = _for_pysigma(inner, depth + 1)
    return copy


_SIGMA: Final = frozenset(("detection", "logsource", "correlation", "filter"))
_UTF16: Final = frozenset(("wide", "utf16", "utf16le", "utf16be"))
_OTHER_KINDS: Final = {
    "correlation": "correlation rules are not run yet",
    "filter": "filter documents are not applied yet",
    "action": "`action` (collections of Sigma 1.0) was removed; write one document a rule",
}
_KEYS: Final = {
    "identifier": "id",
    "value": "detection",
    "modifier": "detection",
    "condition": "detection",
    "type": "detection",
    "regularexpression": "detection",
    "tag": "tags",
}
