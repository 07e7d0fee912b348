"""Backup under load, wipe, restore: what was stored is there again, nothing twice; a spoiled backup is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service import Load, Service, cleared, counted, number


def ids(service: Service) -> list[str]:
    return sorted(doc["event"]["id"] for doc in service.stored())


def wipe(service: Service) -> None:
    shutil.rmtree(service.data)
    service.data.mkdir()


def test_what_was_backed_up_comes_back(tmp_path: Path, service: Service, vonggac: Callable[..., Any]) -> None:
    (tmp_path / "units.csv").write_text("id,name,parent,hosts,networks\nso-yte,Sở Y tế,,dc1.example,\n")
    assert vonggac("unit", "import", tmp_path / "units.csv", environ=service.environ).status == 0
    service.start()
    assert service.post([cleared(one) for one in range(100)]) == 200
    service.until(lambda: len(ids(service)) == 200)
    assert service.stop() == 0
    before = ids(service)
    made = vonggac("backup", tmp_path / "backup", "--json", environ=service.environ)
    assert (made.status, made.rows[0]["rows"]) == (0, 200)
    wipe(service)
    assert vonggac("restore", tmp_path / "backup", environ=service.environ).status == 0
    assert ids(service) == before
    service.start()
    assert service.post([cleared(one) for one in range(100, 110)]) == 200
    service.until(lambda: len(ids(service)) == 220)
    assert service.stop() == 0
    assert set(counted(service.stored(), "alert", number).values()) == {1}, "nothing is judged or stored again"
    assert vonggac("unit", "list", "--json", environ=service.environ).rows[0]["id"] == "so-yte"


def test_a_backup_under_load_holds_a_moment(tmp_path: Path, service: Service, vonggac: Callable[..., Any]) -> None:
    """What was acknowledged before it began is in it, each event and each alert once."""
    service.start()
    load = Load(service)
    service.until(lambda: len(load.sure) > 2_000)
    acknowledged = {one for one in load.sure if one >= 1_000_000}
    made = vonggac("backup", tmp_path / "backup", environ=service.environ)
    load.end()
    assert made.status == 0, made.err
    service.stop()
    wipe(service)
    assert vonggac("restore", tmp_path / "backup", environ=service.environ).status == 0
    service.start()
    service.until(lambda: acknowledged <= counted(service.stored(), "alert", number).keys())
    assert service.stop() == 0
    stored = service.stored()
    for kind in ("event", "alert"):
        found = counted(stored, kind, number)
        assert acknowledged <= found.keys()
        assert set(found.values()) == {1}
    assert not [line for line in service.err.splitlines() if "lost" in line]


@pytest.mark.parametrize("harm", ["change", "remove", "manifest", "outside"])
def test_a_spoiled_backup_changes_nothing(
    tmp_path: Path, service: Service, vonggac: Callable[..., Any], harm: str
) -> None:
    service.start()
    assert service.post([cleared(1)]) == 200
    service.until(lambda: len(ids(service)) == 2)
    assert service.stop() == 0
    assert vonggac("backup", tmp_path / "backup", environ=service.environ).status == 0
    wipe(service)
    manifest = tmp_path / "backup" / "manifest.json"
    segment = next((tmp_path / "backup" / "log" / "collect-0").glob("*.zst"))
    match harm:
        case "change":
            segment.write_bytes(segment.read_bytes()[:-1] + b"?")
        case "remove":
            segment.unlink()
        case "manifest":
            manifest.unlink()
        case "outside":
            manifest.write_text(manifest.read_text().replace('"log/collect-0/owner"', '"../../owner"'))
    refused = vonggac("restore", tmp_path / "backup", environ=service.environ)
    assert refused.status == 2
    assert len(refused.err.splitlines()) == 1
    assert not (service.data / "log").exists()
    assert not (service.data / "store").exists()


def test_state_is_never_overwritten(tmp_path: Path, service: Service, vonggac: Callable[..., Any]) -> None:
    service.start()
    assert vonggac("backup", tmp_path / "backup", environ=service.environ).status == 0
    running = vonggac("restore", tmp_path / "backup", environ=service.environ)
    assert (running.status, "runs already" in running.err) == (2, True)
    assert service.stop() == 0
    there = vonggac("restore", tmp_path / "backup", environ=service.environ)
    assert (there.status, "there is state already" in there.err) == (2, True)
    again = vonggac("backup", tmp_path / "backup", environ=service.environ)
    assert (again.status, "is not empty" in again.err) == (2, True)


def test_nothing_to_back_up(tmp_path: Path, vonggac: Callable[..., Any]) -> None:
    assert vonggac("backup", tmp_path / "backup").status == 2


def test_a_spoiled_catalogue_is_one_line_for_everybody(tmp_path: Path, vonggac: Callable[..., Any]) -> None:
    path = tmp_path / "data" / "store" / "catalogue.sqlite"
    path.parent.mkdir(parents=True)
    path.write_text("no database at all")
    for command in (("hunt", "--where", "a = 1"), ("backup", tmp_path / "copy"), ("run", "--role", "store")):
        ran = vonggac(*command)
        assert (ran.status, ran.out) == (2, "")
        assert f"{path}: " in ran.err
        assert ran.err.count("\n") == 1
