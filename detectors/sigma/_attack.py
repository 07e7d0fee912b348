"""A rule's tags as ATT&CK ids: techniques and tactics."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final


def techniques(tags: Iterable[str]) -> tuple[str, ...]:
    """Give `T1059.001` for `attack.t1059.001`, in order, each once; a retired id stays as its author wrote it."""
    return tuple(dict.fromkeys(found[1].upper() for tag in tags if (found := _TECHNIQUE.fullmatch(tag))))


def tactics(tags: Iterable[str]) -> tuple[str, ...]:
    """Give `TA0002` for `attack.execution`, in order, each once."""
    names = (tag.partition(".")[2].replace("_", "-") for tag in tags if tag.startswith("attack."))
    return tuple(dict.fromkeys(TACTICS[name] for name in names if name in TACTICS))


_TECHNIQUE: Final = re.compile(r"attack\.(t[0-9]{4}(?:\.[0-9]{3})?)")
#: enterprise tactics of ATT&CK 19, which made Stealth of Defense Evasion and set Defense Impairment beside it
TACTICS: Final = {
    "reconnaissance": "TA0043",
    "resource-development": "TA0042",
    "initial-access": "TA0001",
    "execution": "TA0002",
    "persistence": "TA0003",
    "privilege-escalation": "TA0004",
    "stealth": "TA0005",
    "defense-evasion": "TA0005",
    "defense-impairment": "TA0112",
    "credential-access": "TA0006",
    "discovery": "TA0007",
    "lateral-movement": "TA0008",
    "collection": "TA0009",
    "command-and-control": "TA0011",
    "exfiltration": "TA0010",
    "impact": "TA0040",
}
