"""From paths to inputs: folders, links, archives; every oddity is named and stops nothing else."""

import gzip
import io
import os
import socket
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.event import Bad
from vonggac.reading import walk
from vonggac.reading.source import Limits
from vonggac.reading.walk import files, inputs


def names(found: list[str | Bad], root: Path) -> list[str]:
    return [str(one).replace(str(root) + "/", "") for one in found]


def contents(path: Path, limits: Limits | None = None) -> dict[str, object]:
    """Read every input of a file: its path behind the archive's, and its bytes or the reason why not."""
    found: dict[str, object] = {}
    for one in inputs(str(path), limits or Limits()):
        name = one.path.removeprefix(str(path))
        if isinstance(one, Bad):
            found[name] = one.reason
        else:
            with one.open() as stream:
                found[name] = stream.read()
    return found


def test_a_folder_is_walked_in_one_order(tmp_path: Path) -> None:
    for name in ("b.log", "a/z.log", "a/y.log", "__MACOSX/a.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x\n")
    assert names(list(files([str(tmp_path)])), tmp_path) == ["a/y.log", "a/z.log", "b.log"]


def test_a_file_reached_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x\n")
    (tmp_path / "b.log").symlink_to("a.log")
    assert names(list(files([str(tmp_path), str(tmp_path / "a.log")])), tmp_path) == ["a.log"]


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "self").symlink_to("self")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "sock"))
        found = names(list(files([str(tmp_path), str(tmp_path / "missing"), "/dev/null"])), tmp_path)
    assert found == [
        "fifo: is a FIFO, not a file",
        "gone: dangling link: No such file or directory",
        "loop: link loop: it leads back to a folder above it",
        "self: dangling link: Too many levels of symbolic links",
        "sock: is a socket, not a file",
        "missing: No such file or directory",
        "/dev/null: is a character device, not a file",
    ]


def test_folders_may_lie_deeper_than_calls_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1_200):
        os.mkdir("d")  # noqa: PTH102  relative: the whole path is too long for one call
        os.chdir("d")
    Path("a.log").write_text("x\n")
    monkeypatch.chdir(tmp_path)
    found = list(files(["."]))
    os.remove(str(found[0]))  # noqa: PTH107  a path as text
    os.removedirs("d/" * 1_200)  # pytest clears up by calls within calls
    assert found == ["./" + "d/" * 1_200 + "a.log"]


def test_a_zip_is_opened_and_its_oddities_named(tmp_path: Path) -> None:
    path = tmp_path / "day.zip"
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep.log", "deep\n")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("logs/a.log", "a\n")
        archive.writestr("../../etc/cron.d/x", "x\n")
        archive.writestr("__MACOSX/._a.log", "x\n")
        archive.writestr("in.zip", inner.getvalue())
    assert contents(path) == {
        "!logs/a.log": b"a\n",
        "!../../etc/cron.d/x": "member climbs out of the archive's folder: not read",
        "!in.zip!deep.log": b"deep\n",
    }


def test_a_tar_gz_is_opened_and_links_in_it_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "day.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        one = tarfile.TarInfo("a.log")
        one.size = 2
        archive.addfile(one, io.BytesIO(b"a\n"))
        link = tarfile.TarInfo("passwd")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        out = tarfile.TarInfo("/abs.log")
        archive.addfile(out)
    assert contents(path) == {
        "!a.log": b"a\n",
        "!passwd": "member is a link or a device, not a file",
        "!/abs.log": "member climbs out of the archive's folder: not read",
    }


def test_what_was_compressed_twice_is_opened_twice(tmp_path: Path) -> None:
    (tmp_path / "a.log.gz.gz").write_bytes(gzip.compress(gzip.compress(b"x\n")))
    assert contents(tmp_path / "a.log.gz.gz") == {"": b"x\n"}


def test_archives_in_archives_end_somewhere(tmp_path: Path) -> None:
    data = b"x\n"
    for _ in range(5):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("in.zip", data)
        data = made.getvalue()
    (tmp_path / "russian.zip").write_bytes(data)
    assert contents(tmp_path / "russian.zip") == {
        "!in.zip!in.zip!in.zip": "archive inside 3 archives: not opened",
    }


def test_a_zip_bomb_is_stopped_over_all_its_members(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(10):
            archive.writestr(f"{number}.log", bytes(32 << 20))
    found = list(inputs(str(path), Limits(ratio=2)))
    assert isinstance(found[-1], Bad)
    assert found[-1].reason == "archive unpacks to more than 2 times its size: a bomb"


def test_a_sparse_member_is_counted_with_its_holes(tmp_path: Path) -> None:
    header = tarfile.TarInfo("holes.log")
    header.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "holes.log",
                          "GNU.sparse.size": str(1 << 40), "GNU.sparse.map": "0,512"}  # fmt: skip
    header.size = 512
    with tarfile.open(tmp_path / "sparse.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(header, io.BytesIO(b"x" * 512))
    assert contents(tmp_path / "sparse.tar") == {"": "archive unpacks to more than 250 times its size: a bomb"}


def test_a_zip_of_endless_names_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_DIRECTORY", 100)
    path = tmp_path / "names.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(9):
            archive.writestr(f"{number}.log", "x\n")
    assert contents(path) == {"": "zip directory of 459 bytes: read up to 100"}


def test_members_above_the_limit_are_named_once(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(9):
            archive.writestr(f"{number}.log", "x\n")
    found = list(inputs(str(path), Limits(members=2)))
    assert len(found) == 3
    assert found[2] == Bad(f"{path}!2.log", "", "it and what follows are not read: an archive is read up to 2 members")


def test_a_damaged_header_inside_a_tar_is_no_end(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in ("a.log", "b.log", "c.log"):
            one = tarfile.TarInfo(name)
            one.size = 2
            archive.addfile(one, io.BytesIO(b"x\n"))
    data = bytearray(made.getvalue())
    data[1024 + 150] ^= 1  # the checksum of b.log's header
    (tmp_path / "day.tar").write_bytes(data)
    assert contents(tmp_path / "day.tar") == {"!a.log": b"x\n", "": "damaged archive: bad checksum"}


@given(place=st.integers(0, 250), value=st.integers(0, 255))
def test_a_damaged_zip_raises_nothing(tmp_path_factory: pytest.TempPathFactory, place: int, value: int) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.log", "a\n")
        archive.writestr("b.log", "b\n")
    data = bytearray(made.getvalue())
    data[place % len(data)] = value
    path = tmp_path_factory.mktemp("zip") / "day.zip"
    path.write_bytes(data)
    contents(path)


@pytest.mark.parametrize("data", [b"PK\x03\x04 no zip", b"\x1f\x8bno gzip", b"x" * 257 + b"ustar no tar"])
def test_what_only_looks_like_an_archive_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "odd").write_bytes(data)
    [(name, reason)] = contents(tmp_path / "odd").items()
    assert name == ""
    assert isinstance(reason, str)
    assert reason


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    path = tmp_path / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.log", "a\n")
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the encrypted flag of the central directory
    path.write_bytes(data)
    assert contents(path) == {"!a.log": "member is encrypted: unpack it with its password first"}


def test_a_file_that_disappears_is_named(tmp_path: Path) -> None:
    assert contents(tmp_path / "gone.log") == {"": "No such file or directory"}
