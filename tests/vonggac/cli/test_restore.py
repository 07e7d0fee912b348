"""A backup that is none is refused by name; the rest of `restore` stands in test_backup.py."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_folder_without_a_manifest_is_no_backup(tmp_path: Path, vonggac: Callable[..., Any]) -> None:
    (tmp_path / "old").mkdir()
    refused = vonggac("restore", tmp_path / "old")
    assert refused.status == 2
    assert "manifest.json: is not there" in refused.err


def test_a_newer_format_is_refused_by_name(tmp_path: Path, vonggac: Callable[..., Any]) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "manifest.json").write_text(
        '{"format": 2, "version": "9.9", "created": "2030-01-01T00:00:00Z", "rows": 0, "files": []}'
    )
    refused = vonggac("restore", tmp_path / "new")
    assert refused.status == 2
    assert "format 2 of 9.9; this version reads up to 1" in refused.err
