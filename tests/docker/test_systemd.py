"""The systemd units: what they start, what they take away, and what systemd itself says of them."""

import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "docker" / "systemd"
NAMES = ("vonggac.service", "vonggac@.service")
#: on its scale of 0 (nothing allowed) to 100; a unit that says nothing has 96
EXPOSURE = "20"


def settings(name: str) -> dict[str, list[str]]:
    """Read a unit: key -> its values in their order, comments out."""
    found: dict[str, list[str]] = {}
    for line in (UNITS / name).read_text("utf-8").splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Put the units down as they are installed, with the program where it is here."""
    here = str(Path(sys.executable).parent / "vonggac")
    for name in NAMES:
        text = (UNITS / name).read_text("utf-8").replace("/opt/vonggac/bin/vonggac", here)
        (tmp_path / name.replace("@.", "@detect.")).write_text(text, "utf-8")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_unit_gives_no_right_that_is_not_asked_for(name: str) -> None:
    unit = settings(name)
    assert unit["User"] == unit["Group"] == ["vonggac"]
    assert unit["CapabilityBoundingSet"] == [""]
    assert "AmbientCapabilities" not in unit
    for key in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "ProtectKernelModules"):
        assert unit[key] == ["yes"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["SystemCallFilter"] == ["@system-service", "~@privileged"]
    assert unit["UMask"] == ["0077"]
    assert "MemoryMax" in unit
    assert unit["StateDirectory"] == ["vonggac"]
    assert "VONGGAC_DATA=%S/vonggac" in unit["Environment"]


def test_the_service_says_when_it_is_ready_and_has_its_time_to_end() -> None:
    unit = settings("vonggac.service")
    assert unit["Type"] == ["notify"]
    assert unit["ExecStart"] == ["/opt/vonggac/bin/vonggac run"]
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert unit["KillMode"] == ["mixed"]
    assert int(unit["TimeoutStopSec"][0]) > 10  # what a stop may take


def test_a_role_has_its_unit() -> None:
    unit = settings("vonggac@.service")
    assert unit["ExecStart"] == ["/opt/vonggac/bin/vonggac run --role %i"]
    assert unit["Conflicts"] == ["vonggac.service"]


def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    units = sorted(map(str, installed.glob("*.service")))
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    about_us = [line for line in done.stderr.splitlines() if "vonggac" in line]
    assert (done.returncode, about_us) == (0, [])


@pytest.mark.parametrize("name", ["vonggac.service", "vonggac@detect.service"])
def test_systemd_calls_it_well_hardened(installed: Path, name: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", str(installed / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
