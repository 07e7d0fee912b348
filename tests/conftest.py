"""Where real test data lies, and what happens without it: its tests are deselected, with one line that says so."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import orjson
import pytest

from vonggac.i18n import speak

if TYPE_CHECKING:
    from tests.service import Service

DATA = Path(os.environ.get("VONGGAC_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data").resolve()

hypothesis.settings.register_profile("house", deadline=None)  # no test is timed: the machine may be busy
hypothesis.settings.load_profile("house")


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


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of the command gave."""

    status: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.out.splitlines()]


@pytest.fixture(scope="session", autouse=True)
def _english() -> None:
    """Texts in tests are those of the source, whatever the machine speaks."""
    speak("en")


@pytest.fixture
def vonggac(tmp_path: Path) -> Callable[..., Ran]:
    """Run the real command in a process of its own, with a state folder of its own, speaking English."""

    def run(*arguments: str | Path, environ: Mapping[str, str] | None = None, stdin: bytes = b"") -> Ran:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("VONGGAC_")}
        settings = {"VONGGAC_DATA": str(tmp_path / "data"), "VONGGAC_LANG": "en", "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "vonggac", *map(str, arguments)],
            env={**clean, **settings, **(environ or {})},
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=120,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def service(tmp_path: Path) -> Iterator["Service"]:
    """Give the service of `vonggac run`, not yet started, on the state folder of `vonggac` and on free ports."""
    from tests.service import Service  # few tests need what it loads

    made = Service(tmp_path / "data")
    yield made
    made.close()
