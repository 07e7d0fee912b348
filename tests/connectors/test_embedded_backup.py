"""What a backup is made of; the whole way there and back stands in tests/vonggac/cli/test_backup.py."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.embedded_backup import Spoiled, backup, read_manifest, restore, state_of
from connectors.embedded_log import EmbeddedLog, Keep
from connectors.embedded_store import EmbeddedStore
from vonggac.logport import Batch, Out, Part
from vonggac.testing import make_event

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A state: a log of several segments whose reader is in the midst of it, and a store."""
    data = tmp_path / "data"
    log = EmbeddedLog(data / "log", keep=Keep(segment_bytes=2_000))
    source, reader = log.join("collect", (), 0, 1), log.join("detect", ("events",), 0, 1)
    source.start()
    for number in range(60):
        source.commit([Out("events", os.urandom(40).hex().encode())], {}, {"at": b"%d" % number})
    reader.start()
    batches = reader.poll(0, 1_000)
    reader.commit([Out("alerts", b"{}")], {one.part: one.next for one in batches}, {})
    source.close()
    reader.close()
    part = Part("events/c.1/0")
    store = EmbeddedStore(data / "store")
    store.save([Batch(part, 0, 1, AT, [make_event(message="x").to_json()])], {part: 1})
    store.close()
    return data


def made(data: Path, target: Path) -> int:
    return backup(data, target, "2026-03-01T00:00:00Z", "0.1.0", lambda _name: None).rows


def test_the_log_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    assert made(data, tmp_path / "backup") == 1
    restore(tmp_path / "backup", tmp_path / "new", lambda _name: None)
    for name in ("collect", "detect"):
        old, new = (EmbeddedLog(root / "log").join(name, ("events",), 0, 1) for root in (data, tmp_path / "new"))
        assert (old.start(), old.marks()) == (new.start(), new.marks())
    found = [
        [line for one in EmbeddedLog(root / "log").tail(("events",), AT.replace(year=2000), 0) for line in one.records]
        for root in (data, tmp_path / "new")
    ]
    assert len(found[0]) == 60
    assert found[0] == found[1]


def test_finished_segments_and_stored_files_are_not_copied_twice(data: Path, tmp_path: Path) -> None:
    """On one disk they are the same files; what may still grow is a copy."""
    made(data, tmp_path / "backup")
    segments = sorted((tmp_path / "backup" / "log" / "collect-0").glob("*.zst"))
    assert len(segments) > 2
    assert [path.stat().st_nlink for path in segments] == [2] * (len(segments) - 1) + [1]
    (stored,) = (tmp_path / "backup" / "store" / "events").iterdir()
    assert stored.stat().st_nlink == 2


def test_a_backup_that_was_not_finished_is_none(data: Path, tmp_path: Path) -> None:
    made(data, tmp_path / "backup")
    (tmp_path / "backup" / "manifest.json").unlink()
    with pytest.raises(Spoiled, match="not finished"):
        restore(tmp_path / "backup", tmp_path / "new", lambda _name: None)


def test_the_manifest_names_every_file(data: Path, tmp_path: Path) -> None:
    made(data, tmp_path / "backup")
    named = {name for name, _, _ in read_manifest(tmp_path / "backup").files}
    there = {str(path.relative_to(tmp_path / "backup")) for path in (tmp_path / "backup").rglob("*") if path.is_file()}
    assert there - named == {"manifest.json"}


def test_state_is_known_by_its_names(data: Path, tmp_path: Path) -> None:
    assert set(state_of(data)) == {"store", "log"}
    (tmp_path / "new" / "inbox").mkdir(parents=True)
    assert list(state_of(tmp_path / "new")) == []
