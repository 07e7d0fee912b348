"""One input: its compression is seen through, it is bounded, and what is no file is said to be none."""

import bz2
import gzip
import io
import lzma
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from vonggac.reading.source import BombError, Limits, ShrankError, bare_name, display, of_bytes, open_regular, plain

TEXT = b"".join(b"line %d\n" % number for number in range(1000))


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.compress])
def test_compression_is_seen_by_its_bytes_not_its_name(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "odd-name"
    file.write_bytes(pack(TEXT))
    source = plain(str(file))
    with source.open() as one, source.open() as two, source.seekable() as three:
        assert one.read() == two.read() == TEXT
        three.seek(7)
        assert three.read(4) == TEXT[7:11]
    assert source.head.data == TEXT


def test_bytes_in_memory_are_an_input() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    source = of_bytes(TEXT * 10, "tcp 127.0.0.1:5514", now, "a.log")
    with source.open() as one, source.seekable() as two:
        assert one.read() == two.read() == TEXT * 10
    assert (source.path, source.head.name, source.size, source.modified) == (
        "tcp 127.0.0.1:5514",
        "a.log",
        len(TEXT) * 10,
        now,
    )
    assert len(source.head.data) == 64 << 10


def test_several_gzip_members_are_one_stream(tmp_path: Path) -> None:
    file = tmp_path / "a.log.gz"
    file.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    with plain(str(file)).open() as stream:
        assert stream.read() == b"one\ntwo\n"


def test_several_zstd_frames_are_one_stream(tmp_path: Path) -> None:
    file = tmp_path / "a.log.zst"
    skipped = b"\x50\x2a\x4d\x18\x05\0\0\0notes"
    file.write_bytes(zstandard.compress(b"one\n") + skipped + zstandard.compress(b"two\n" * 100_000))
    with plain(str(file)).open() as stream:
        assert stream.read() == b"one\n" + b"two\n" * 100_000


def test_a_cut_zstd_gives_what_is_there_and_then_says_so(tmp_path: Path) -> None:
    noise = os.urandom(400_000)
    file = tmp_path / "a.log.zst"
    for cut in (50_000, 1):
        file.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(noise)[:-cut])
        got = io.BytesIO()
        with plain(str(file)).open() as stream, pytest.raises(EOFError, match="inside a frame"):
            shutil.copyfileobj(stream, got)
        assert len(got.getvalue()) > 260_000
        assert noise.startswith(got.getvalue())


def test_a_cut_gzip_gives_what_is_there_and_then_says_so(tmp_path: Path) -> None:
    noise = os.urandom(400_000)
    file = tmp_path / "a.log.gz"
    file.write_bytes(gzip.compress(noise)[:-50_000])
    with plain(str(file)).open() as stream:
        got = io.BytesIO()
        with pytest.raises(EOFError, match="ended before"):
            shutil.copyfileobj(stream, got)
    assert len(got.getvalue()) > 300_000
    assert noise.startswith(got.getvalue())


def test_a_gzip_cut_inside_its_head_gives_what_is_there(tmp_path: Path) -> None:
    file = tmp_path / "a.log.gz"
    file.write_bytes(gzip.compress(TEXT)[:-20])
    source = plain(str(file))
    assert source.head.data.startswith(TEXT[:1000])
    got = io.BytesIO()
    with source.open() as stream, pytest.raises(EOFError):
        shutil.copyfileobj(stream, got)
    assert got.getvalue() == source.head.data


def test_a_bomb_is_stopped(tmp_path: Path) -> None:
    file = tmp_path / "bomb.gz"
    with gzip.open(file, "wb", compresslevel=9) as stream:
        for _ in range(300):
            stream.write(bytes(1 << 20))
    with plain(str(file), Limits(ratio=250)).open() as bomb, pytest.raises(BombError, match="more than 250 times"):
        shutil.copyfileobj(bomb, io.BytesIO())


def test_a_log_that_grows_ends_with_the_line_that_stood_half_written(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(b"one\ntwo")
    with plain(str(file)).open() as stream:
        with file.open("ab") as writer:
            writer.write(b" and more\nthree\n")
        assert stream.read() == b"one\ntwo and more\n"


def test_a_file_that_shrinks_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(TEXT)
    stream = plain(str(file)).open()
    os.truncate(file, 100)
    with stream, pytest.raises(ShrankError, match=r"ended at byte 100 of 8,890"):
        stream.read()


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is a FIFO, not a file"):
        open_regular(str(tmp_path / "pipe"))


def test_names() -> None:
    assert bare_name("/srv/Day.ZIP!logs/Conn.LOG.gz") == "conn.log"
    assert display(os.fsdecode(b"/srv/a\xff.log")) == "/srv/a\\xff.log"
