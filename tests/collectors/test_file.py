import gzip
import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import file
from vonggac import shelf
from vonggac.event import FIELDS, Event, digest
from vonggac.ports import CollectorModule, Head, ReadOptions, Source
from vonggac.reading.source import plain
from vonggac.testing import NOW, events_of, source_of

MODULE: CollectorModule = file


def test_it_claims_nothing_so_that_the_pipeline_takes_it_last() -> None:
    assert file.claims(Head("empty", b"")) == 0
    assert file.claims(Head("setup.exe", b"MZ\x90\x00")) == 0
    assert file.claims(Head("auth.log", b"Nov  2 09:14:07 web01 sshd[2211]: x\n")) == 0
    assert "file" in shelf.names("collectors")


def test_one_event_a_file() -> None:
    data = b"MZ\x90\x00 not really a program"
    (event,) = events_of(file, source_of(data, "mail.zip!a/Setup.exe"))
    assert event.doc == {
        "event": {"kind": "event", "module": "file", "dataset": "file.scan", "category": ["file"]},
        "log": {"file": {"path": "mail.zip!a/Setup.exe"}, "offset": 0},
        "file": {
            "path": "mail.zip!a/Setup.exe",
            "name": "Setup.exe",
            "size": len(data),
            "hash": {
                "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
                "sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
                "sha256": hashlib.sha256(data).hexdigest(),
            },
        },
    }
    assert event.time is None


def test_the_contract_of_a_collector_but_for_claims() -> None:
    """`collector_contract` asks for a claim; what else it asks stands here."""
    source = source_of(b"x" * (3 << 20))
    first = list(file.open(source, ReadOptions()).read(None))
    assert first == list(file.open(source, ReadOptions()).read(None)), "reading twice gives the same"
    ((records, mark),) = first
    assert mark is None, "a bounded input ends with mark None"
    (event,) = records
    assert isinstance(event, Event)
    doc = Event.from_json(event.to_json()).doc
    assert {f"file.{name}" for name in doc["file"] if name != "hash"} <= set(FIELDS)
    assert {f"file.hash.{name}" for name in doc["file"]["hash"]} <= set(FIELDS)
    assert {f"event.{name}" for name in doc["event"] if name != "id"} <= set(FIELDS)


def test_identity_is_of_the_content_not_of_the_name() -> None:
    (here,) = events_of(file, source_of(b"same", "a.bin"))
    (there,) = events_of(file, source_of(b"same", "b/c.bin"))
    (other,) = events_of(file, source_of(b"sane", "a.bin"))
    assert here.id == there.id == digest("file", hashlib.sha256(b"same").hexdigest())
    assert here.id != other.id


def test_hashes_are_of_what_is_inside_the_compression(tmp_path: Path) -> None:
    path = tmp_path / "dump.bin.gz"
    path.write_bytes(gzip.compress(b"inside"))
    (event,) = events_of(file, plain(str(path)))
    assert event.doc["file"]["size"] == 6
    assert event.doc["file"]["hash"]["sha256"] == hashlib.sha256(b"inside").hexdigest()
    assert event.doc["file"]["name"] == "dump.bin.gz"


def test_a_stream_is_read_in_bounded_pieces() -> None:
    asked: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(-1 if size is None else size)
            return super().read(size)

    data = b"y" * (5 << 20)
    source = Source("big", Head("big", data[:10]), len(data), NOW, lambda: Watched(data), lambda: Watched(data))
    (event,) = events_of(file, source)
    assert event.doc["file"]["size"] == len(data)
    assert all(0 < one <= 1 << 20 for one in asked)


def test_a_stream_that_breaks_is_raised_for_the_caller_to_name(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 4000)[:-20])
    with pytest.raises(EOFError):
        events_of(file, plain(str(path)))


@given(st.binary(max_size=300))
def test_any_bytes_are_one_event(data: bytes) -> None:
    (event,) = events_of(file, source_of(data))
    assert event.doc["file"]["size"] == len(data)
