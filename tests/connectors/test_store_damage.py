"""The store's files that cannot be read: named and counted, left alone, and never the end of anything else."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from connectors._catalogue import OTHERS, Catalogue, Piece, SourceSpan

ONE = Piece("one", 3, 100, oldest=10, newest=20, appended_from=10, appended_to=20, schema=1, strays=0)


def catalogue_of(root: Path, *pieces: Piece) -> Catalogue:
    catalogue = Catalogue(root / "catalogue.sqlite")
    with catalogue.record(pieces, [], {}, now=0):
        pass
    return catalogue


def named(pieces: list[Piece]) -> list[str]:
    return [piece.name for piece in pieces]


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
