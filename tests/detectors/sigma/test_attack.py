"""Tags as ATT&CK ids."""

from __future__ import annotations

from detectors.sigma._attack import tactics, techniques


def test_techniques_and_tactics() -> None:
    tags = [
        "attack.execution",
        "attack.t1059.001",
        "attack.t1059.001",
        "attack.g0016",
        "cve.2021-44228",
        "attack.t1685",
    ]
    assert techniques(tags) == ("T1059.001", "T1685")
    assert tactics(tags) == ("TA0002",)


def test_old_and_new_names_of_tactics() -> None:
    assert tactics(["attack.defense_evasion", "attack.stealth", "attack.defense-impairment"]) == ("TA0005", "TA0112")
    assert tactics(["attack.nonsense", "execution"]) == ()
