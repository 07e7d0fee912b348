"""What the READMEs tell people to type is typed here: `vonggac …` lines are run, `make …` lines are resolved."""

from __future__ import annotations

import re
import shlex
import subprocess
import unicodedata
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.evtx_writer import Record, evtx
from tests.service import Service
from vonggac.event import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Ran

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.vi.md")
#: what may also stand in a block: it sets up the shell, and nothing else
SHELL = ("export ",)
#: `check` may find this machine's disk too full; `sources` has nothing to show in the service's first minute
RIGHT = {"check": (0, 1), "sources": (0, 2)}
RULE = """title: A test rule
id: 5b6f1a52-6c3a-4d0e-9d0b-0f4f6f0f7a11
status: test
description: Somebody ran whoami.
author: a test
date: 2026-03-01
tags:
  - attack.discovery
  - attack.t1033
logsource:
  category: process_creation
  product: windows
detection:
  selection:
    Image|endswith: \\whoami.exe
  condition: selection
falsepositives:
  - Administrators
level: low
"""


def commands(readme: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / readme).read_text("utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.fixture
def srv(tmp_path: Path) -> Path:
    """Make what the READMEs call /srv: logs, rules, a pack, units."""
    srv = tmp_path / "srv"
    for folder in ("evtx", "out", "rules"):
        (srv / folder).mkdir(parents=True)
    cleared = Record(record_id=1, event_id=1102, channel="Security", provider="Microsoft-Windows-Eventlog")
    (srv / "evtx" / "Security.evtx").write_bytes(evtx([cleared]))
    (srv / "rules" / "whoami.yml").write_text(RULE, "utf-8")
    with zipfile.ZipFile(srv / "sigma_all_rules.zip", "w") as pack:
        pack.writestr("rules/whoami.yml", RULE)
    (srv / "units.csv").write_text(
        "id,name,parent,hosts,networks\nso-yte,Sở Y tế,,*.so-yte.example,10.10.0.0/16\n", "utf-8"
    )
    return srv


@pytest.mark.parametrize("readme", READMES)
def test_every_line_is_a_command_that_is_checked_here(readme: str) -> None:
    assert [line for line in commands(readme) if not line.startswith(("vonggac ", "logger ", "make ", *SHELL))] == []


@pytest.mark.parametrize("readme", READMES)
def test_the_commands_work_in_their_order(
    readme: str, srv: Path, vonggac: Callable[..., Ran], service: Service
) -> None:
    typed = [line for line in commands(readme) if line.startswith(("vonggac ", "logger "))]
    assert len(typed) > 15
    for line in typed:
        words = [word.replace("/srv/", f"{srv}/") for word in shlex.split(line, comments=True)]
        if words == ["vonggac", "run"]:
            service.start()
        elif words[0] == "logger":
            words = [str(service.port) if word == "5514" else word for word in words]
            subprocess.run(words, check=True)
            service.until(
                lambda: [one["rule"]["name"] for one in service.shown()] == ["Root logged in over SSH from outside"]
            )
        else:
            ran = vonggac(*words[1:])
            assert ran.status in RIGHT.get(words[1], (0,)), f"{line}\n{ran.out}{ran.err}"
    assert service.stop() == 0
    written = {path.suffix for path in (srv / "out").iterdir()}
    assert written == {".csv", ".json", ".jsonl", ".xlsx"}


def test_the_scan_of_a_folder_of_evtx_finds_something(srv: Path, vonggac: Callable[..., Ran]) -> None:
    (alert,) = vonggac("scan", srv / "evtx").rows
    assert alert["rule"]["level"] in LEVELS
    assert alert["event"]["code"] == "1102"


@pytest.mark.parametrize(
    "line", sorted({line for readme in READMES for line in commands(readme) if line.startswith("make ")})
)
def test_make_knows_its_targets(line: str) -> None:
    words = shlex.split(line, comments=True)
    done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_both_readmes_tell_the_same_commands() -> None:
    """Names of files that are written may be each language's own, and so are the comments."""
    english, vietnamese = (
        [re.sub(r"/srv/out/[^ .]+", "/srv/out/…", line.partition("   #")[0]) for line in commands(readme)]
        for readme in READMES
    )
    assert english == vietnamese


def test_the_vietnamese_readme_is_composed() -> None:
    assert unicodedata.is_normalized("NFC", (ROOT / "README.vi.md").read_text("utf-8"))


@pytest.mark.parametrize("readme", READMES)
def test_the_picture_shows_every_shelf(readme: str) -> None:
    text = (ROOT / readme).read_text("utf-8")
    for folder in (
        "collectors",
        "detectors",
        "rules",
        "playbooks",
        "drills",
        "connectors",
        "docker",
        "tests",
        "vonggac",
    ):
        assert f"{folder}/" in text
