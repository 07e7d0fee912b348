"""Where real test data lies, and what happens without it: its tests are deselected, with one line that says so."""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("VONGGAC_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data").resolve()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if DATA.is_dir():
        return
    gone = [item for item in items if item.get_closest_marker("data")]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not DATA.is_dir():
        terminalreporter.write_line(f"no real data at {DATA} (VONGGAC_TEST_DATA): its tests were deselected")


@pytest.fixture(scope="session")
def test_data() -> Path:
    return DATA
