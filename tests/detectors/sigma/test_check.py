"""Checking rule files, offline."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from detectors.sigma.check import EXCLUDED, check

RULE = """\
title: Odd service
id: 0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a01
status: test
level: high
tags:
    - attack.persistence
    - attack.t1543.003
    - d3fend.d3-am
logsource:
    product: windows
    service: system
detection:
    selection:
        EventID: 7045
    condition: selection
"""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        pytest.fail("a check reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_good_rule(tmp_path: Path) -> None:
    (tmp_path / "a_good_rule.yml").write_text(RULE)
    [report] = check([tmp_path], {}, tmp_path / "private")
    assert (report.path, report.errors, report.warnings) == (str(tmp_path / "a_good_rule.yml"), [], [])
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o700


def test_errors_stand_with_file_place_and_reason(tmp_path: Path) -> None:
    (tmp_path / "bad_condition.yml").write_text(RULE.replace("condition: selection", "condition: nope"))
    (tmp_path / "no_rule.yml").write_text("title: x\n")
    first, second = check([tmp_path], {}, tmp_path / "private")
    [error] = first.errors
    assert (error.line, error.at, error.kind) == (15, "/detection/condition", "condition")
    assert "no selection named 'nope'" in error.reason
    assert second.errors


def test_pysigmas_findings(tmp_path: Path) -> None:
    unused = RULE.replace("    condition", "    unused:\n        A: 'x**y'\n    condition")
    (tmp_path / "unused_selection.yml").write_text(unused)
    [report] = check([tmp_path], {}, tmp_path / "private")
    assert [one.kind for one in report.errors] == ["DanglingDetection"]
    assert [one.kind for one in report.warnings] == ["DoubleWildcard"]


def test_one_id_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "first_rule.yml").write_text(RULE)
    (tmp_path / "second_rule.yml").write_text(RULE.replace("Odd", "Even"))
    first, second = check([tmp_path, tmp_path], {}, tmp_path / "private")
    assert first.errors == []
    [error] = second.errors
    assert (error.at, error.kind) == ("/id", "id.twice")
    assert str(tmp_path / "first_rule.yml:1") in error.reason


def test_what_pysigma_would_download_is_out_of_reach(tmp_path: Path) -> None:
    from sigma.data import mitre_attack
    from sigma.validators.core import validators

    assert set(validators) >= EXCLUDED
    (tmp_path / "a_good_rule.yml").write_text(RULE)
    check([tmp_path], {}, tmp_path / "private")
    with pytest.raises(RuntimeError, match="Failed to load"):
        _ = mitre_attack.mitre_attack_tactics


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check([tmp_path / "gone"], {}, tmp_path / "private")
