"""The store's files that cannot be read: named and counted, left alone, and never the end of anything else."""

import errno
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from connectors._catalogue import OTHERS, Catalogue, Piece, SourceSpan
from connectors._parquet import copy_files
from connectors._sound import damage
from connectors.embedded_store import STEPS, EmbeddedStore, Limits, World
from vonggac.query import Query
from vonggac.storetesting import PART, ask, batch_of, ids, upto
from vonggac.testing import NOW

ONE = Piece("one", 3, 100, oldest=10, newest=20, appended_from=10, appended_to=20, schema=1, strays=0)


def catalogue_of(root: Path, *pieces: Piece) -> Catalogue:
    catalogue = Catalogue(root / "catalogue.sqlite")
    with catalogue.record(pieces, [], {}, now=0):
        pass
    return catalogue


def named(pieces: list[Piece]) -> list[str]:
    return [piece.name for piece in pieces]


@pytest.mark.parametrize(
    "spoil", ["no database at all, but long enough to look like one", "SQLite format 3\0" + "x" * 9999]
)
def test_a_spoiled_catalogue_is_named(tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "catalogue.sqlite"
    path.write_text(spoil)
    with pytest.raises(ValueError, match=f"^{path}: (file is not a database|database disk image is malformed)$"):
        EmbeddedStore(tmp_path)


def test_a_damaged_file_is_left_out_and_accounted_for(tmp_path: Path) -> None:
    spans = (SourceSpan("zeek.conn", "gw", 3, 10, 20),)
    two = replace(ONE, name="two", sources=spans)
    catalogue = catalogue_of(tmp_path, replace(ONE, sources=spans), two)
    catalogue.mark_damaged("one", "no Parquet file: 0 bytes")
    catalogue.mark_damaged("one", "said later")
    catalogue.mark_damaged("never heard of", "x")
    assert named(catalogue.live()) == ["two"]
    assert named(catalogue.live(damaged=True)) == ["one", "two"]
    assert catalogue.damaged() == [("one", 3, 10, 20, "no Parquet file: 0 bytes")]
    assert catalogue.sources() == [SourceSpan("zeek.conn", "gw", 3, 10, 20)]
    catalogue.mend("one")
    assert (named(catalogue.live()), catalogue.damaged()) == (["one", "two"], [])


def test_a_dropped_file_is_not_damaged_any_more(tmp_path: Path) -> None:
    catalogue = catalogue_of(tmp_path, ONE)
    catalogue.mark_damaged("one", "gone")
    with catalogue.record([], [ONE], {}, now=1):
        pass
    assert catalogue.damaged() == []
    catalogue.forget(["one"])
    assert catalogue.known() == (set(), set())


def test_files_without_the_host_are_left_out(tmp_path: Path) -> None:
    def piece(name: str, *hosts: str, strays: int = 0) -> Piece:
        spans = tuple(SourceSpan("d", host, 1, 10, 20) for host in hosts)
        return replace(ONE, name=name, sources=spans, strays=strays)

    catalogue = catalogue_of(
        tmp_path, piece("a", "WS-Đ", "ws-2"), piece("b", "ws-3"), piece("c", "x", strays=1), piece("d", OTHERS)
    )
    assert named(catalogue.live(hosts=["ws-đ"])) == ["a", "c", "d"], "a stray row may say its host elsewhere"
    assert named(catalogue.live(hosts=[])) == ["c", "d"]
    assert named(catalogue.live(hosts=["WS-3"], datasets=["D"])) == ["b", "c", "d"]
    assert named(catalogue.live(hosts=["ws-3"], datasets=["e"])) == ["c"]
    assert named(catalogue.live(21, None, hosts=["ws-3"])) == []


def test_a_catalogue_of_the_format_before_is_brought_up(tmp_path: Path) -> None:
    catalogue_of(tmp_path, ONE)
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite")) as db:
        db.executescript("DROP TABLE damaged; ALTER TABLE files DROP COLUMN digest; PRAGMA user_version = 1;")
    catalogue = Catalogue(tmp_path / "catalogue.sqlite")
    catalogue.mark_damaged("one", "cut")
    assert len(catalogue.damaged()) == 1


def store_of(root: Path, files: int = 3, **limits: object) -> tuple[EmbeddedStore, list[Path]]:
    """Make a store of some files with two events each; give them too."""
    store = EmbeddedStore(root, limits=replace(Limits(floor=timedelta(0)), **limits))  # type: ignore[arg-type]
    for first in range(0, 2 * files, 2):
        batch = batch_of({}, {}, first=first)
        store.save([batch], upto(batch))
    return store, [root / "events" / piece.name for piece in store.catalogue.live()]


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 4
    path.write_bytes(raw)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-7]), "bytes long, not"),
    "empty": (lambda path: path.write_bytes(b""), "0 bytes long, not"),
    "gone": (Path.unlink, "not there"),
    "one bit": (flip, "its SHA-256 differs"),
}


@pytest.mark.parametrize(("hurt", "reason"), DAMAGE.values(), ids=DAMAGE)
def test_damage_ends_no_merge_and_no_save(hurt: Callable[[Path], object], reason: str, tmp_path: Path) -> None:
    store, files = store_of(tmp_path)
    hurt(files[1])
    assert store.merge() == 2, "the sound ones are joined"
    ((name, rows, oldest, newest, why),) = store.catalogue.damaged()
    assert (name, rows, newest - oldest) == (files[1].name, 2, 0)
    assert reason in why
    batch = batch_of({}, first=6)
    store.save([batch], upto(batch))
    assert sorted(ids(ask(store, Query()))) == ["e0", "e1", "e4", "e5", "e6"]
    assert store.merge() == 2, "it is left alone from now on"
    assert len(store.catalogue.damaged()) == 1


def test_a_file_that_was_put_back_counts_again(tmp_path: Path) -> None:
    store, files = store_of(tmp_path)
    backup = files[0].read_bytes()
    flip(files[0])
    assert [name for name, *_ in store.verify()] == [files[0].name]
    assert len(ask(store, Query()).rows) == 4
    files[0].write_bytes(backup)
    assert store.verify() == []
    assert len(ask(store, Query()).rows) == 6


def test_a_damaged_file_is_dropped_when_its_time_has_come(tmp_path: Path) -> None:
    store, files = store_of(tmp_path)
    files[0].unlink()
    store.verify()
    later = batch_of({}, first=6, appended=NOW + timedelta(days=1))
    store.save([later], upto(later))
    assert store.drop(NOW + timedelta(seconds=1)) == 6
    assert store.catalogue.damaged() == []


def test_what_no_digest_tells_is_told_by_reading(tmp_path: Path) -> None:
    store, files = store_of(tmp_path)
    with closing(sqlite3.connect(tmp_path / "catalogue.sqlite", isolation_level=None)) as db:
        db.execute("UPDATE files SET digest = ''")  # saved by the version before
    files[2].write_bytes(b"x" * files[2].stat().st_size)
    assert store.merge() == 2
    ((name, _, _, _, why),) = store.catalogue.damaged()
    assert name == files[2].name
    assert why


def test_no_right_to_read_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(NotADirectoryError):
        damage(tmp_path / "file" / "x", 1, "")


def test_a_join_that_does_not_fit_into_memory_becomes_smaller_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tight(files: list[Path], con: duckdb.DuckDBPyConnection, target: Path, rows: int) -> int:
        if len(files) > 2:
            raise duckdb.OutOfMemoryException
        return copy_files(files, con, target, rows)

    monkeypatch.setattr("connectors.embedded_store.copy_files", tight)
    store, _ = store_of(tmp_path, files=5)
    assert store.merge() == 4
    assert [piece.rows for piece in store.catalogue.live()] == [2, 4, 4]
    assert len(ask(store, Query()).rows) == 10


def test_few_small_files_wait_for_others(tmp_path: Path) -> None:
    store, _ = store_of(tmp_path, files=3)
    assert store.merge(least=4) == 0
    store.limits = replace(store.limits, small=5)
    assert store.merge(least=4) == 3, "together they make a large one"


def test_a_merge_that_takes_long_goes_on_the_next_time(tmp_path: Path) -> None:
    store, _ = store_of(tmp_path, files=4, merged=4)
    assert [store.merge(limit_s=0) for _ in range(2)] == [2, 2]


def test_a_join_has_no_more_rows_than_asked_for(tmp_path: Path) -> None:
    store, _ = store_of(tmp_path, files=4)
    assert [store.merge(limit_s=0, rows=4) for _ in range(2)] == [2, 2]


@pytest.mark.parametrize("when", ["before", "amidst"])
def test_a_merge_that_is_given_up_has_not_begun(when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()

    def endless(files: list[Path], con: duckdb.DuckDBPyConnection, target: Path, rows: int) -> int:
        stop.set()
        con.execute("SELECT count(*) FROM range(1_000_000_000_000) WHERE random() > 2")
        return rows

    store, files = store_of(tmp_path, files=4)
    with monkeypatch.context() as patched:
        patched.setattr("connectors.embedded_store.copy_files", endless)
        if when == "before":
            stop.set()
        assert store.merge(stop=stop) == 0
    assert sorted((tmp_path / "events").iterdir()) == sorted(files)
    assert store.merge() == 4


@pytest.mark.parametrize("step", STEPS[:-1])
def test_whatever_the_disk_refuses_the_same_save_works_later(step: str, tmp_path: Path) -> None:
    full = [True]

    def world(name: str) -> None:
        if full[0] and name == step:
            raise OSError(errno.ENOSPC, "no space")

    store = EmbeddedStore(tmp_path, world=World(step=world))
    batch = batch_of({}, {"host": {"name": ["a list"]}})  # the quick and the long way
    for _ in range(3):
        with pytest.raises(OSError, match="no space"):
            store.save([batch], upto(batch))
        assert (store.taken(), ask(store, Query()).rows) == ({}, ())
        assert len(list((tmp_path / "events").iterdir())) <= 1, "what failed does not pile up"
    full[0] = False
    store.save([batch], upto(batch))
    assert (store.taken(), sorted(ids(ask(store, Query())))) == ({PART: 2}, ["e0", "e1"])
    assert len(list((tmp_path / "events").iterdir())) == 1


def test_no_folder_to_write_to_is_an_oserror(tmp_path: Path) -> None:
    store, _ = store_of(tmp_path, files=1)
    (tmp_path / "events").rename(tmp_path / "elsewhere")
    batch = batch_of({}, first=2)
    with pytest.raises(OSError, match="events"):
        store.save([batch], upto(batch))
    (tmp_path / "elsewhere").rename(tmp_path / "events")
    store.save([batch], upto(batch))
    assert len(ask(store, Query()).rows) == 3
