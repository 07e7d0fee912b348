"""What tests of commands share: the state folder that a run of the command uses, made beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    made.mkdir(mode=0o750)
    return made
