"""`scan` and `run` over the same folder say the same: equal alert ids, equal event ids."""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evtx_writer import Record, evtx
from tests.service import Service, of_itself

SSH = "Mar  1 08:00:{:02} web1 sshd[{}]: {} password for root from 203.0.113.9 port 4711 ssh2\n"
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"


def ids(alerts: list[dict[str, Any]]) -> Counter[str]:
    return Counter(alert["event"]["id"] for alert in alerts)


def both(folder: Path, service: Service, vonggac: Callable[..., Any]) -> tuple[Counter[str], Counter[str]]:
    """Give the ids of the alerts by scan and by run."""
    scanned = vonggac("scan", folder, "--format", "jsonl", environ=service.environ)
    assert scanned.status in (0, 3)
    service.start()
    files = [path for path in folder.rglob("*") if path.is_file()]
    shutil.copytree(folder, service.data / "inbox", dirs_exist_ok=True)
    inbox = service.data / "inbox"
    service.until(
        lambda: (
            not [
                one
                for one in inbox.rglob("*")
                if one.is_file() and ".done" not in one.parts and ".failed" not in one.parts
            ]
        )
    )
    assert files
    assert service.stop() == 0
    return ids(scanned.rows), ids([one for one in service.logged("alerts") if not of_itself(one)])


def test_a_folder_of_all_sorts(tmp_path: Path, service: Service, vonggac: Callable[..., Any]) -> None:
    folder = tmp_path / "logs"
    (folder / "so-yte").mkdir(parents=True)
    lines = "".join(SSH.format(number % 60, number, ("Failed", "Accepted")[number % 2]) for number in range(500))
    (folder / "auth.log").write_text(lines)
    cleared = [
        Record(record_id=n, event_id=1102, channel="Security", provider="Microsoft-Windows-Eventlog") for n in (1, 2)
    ]
    (folder / "so-yte" / "Security.evtx").write_bytes(evtx(cleared))
    with zipfile.ZipFile(folder / "so-yte" / "old.zip", "w") as archive:
        archive.writestr("auth.log.1", lines.replace("Mar  1", "Feb  1"))
        archive.writestr("eicar.com", EICAR)
    (folder / "eicar.com").write_bytes(EICAR)
    by_scan, by_run = both(folder, service, vonggac)
    assert by_scan.total() == 250 + 2 + 250 + 2
    assert by_run == by_scan


@pytest.mark.data
def test_real_recordings(tmp_path: Path, service: Service, vonggac: Callable[..., Any], test_data: Path) -> None:
    folder = tmp_path / "logs"
    chosen = sorted((test_data / "evtx").rglob("*.evtx"))[:60] + sorted((test_data / "syslog").rglob("*.log"))[:5]
    for number, path in enumerate(chosen):
        (folder / f"unit{number % 3}").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / f"unit{number % 3}" / f"{number}-{path.name}")
    by_scan, by_run = both(folder, service, vonggac)
    assert by_scan.total() > 10
    assert by_run == by_scan
