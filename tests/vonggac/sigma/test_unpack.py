"""Archives made to harm: each ends in one reason, and nothing is written outside."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.sigma import _unpack
from vonggac.sigma._unpack import copy_folder, unpack


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as box:
        for info, data in members:
            info.size = len(data)
            box.addfile(info, io.BytesIO(data))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zip_of(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as box:
        for name, data in members.items():
            box.writestr(name.replace("__", "/"), data)
    return path


@pytest.mark.parametrize(
    "name", ["../up.yml", "/abs.yml", "a/../../up.yml", "C:\\x.yml", "c:x", "a\\b", "..", "x" * 300]
)
def test_a_path_that_leaves_the_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not stay inside"):
        unpack(tar(tmp_path / "x.tar.gz", (member(name), b"x")), tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as box:
        box.writestr(name, b"x")
    with pytest.raises(ValueError, match="does not stay inside"):
        unpack(tmp_path / "x.zip", tmp_path / "out2")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["out", "out2", "x.tar.gz", "x.zip"]


def test_links_and_devices_are_left_out_and_named(tmp_path: Path) -> None:
    archive = tar(
        tmp_path / "x.tar.gz",
        (member("good.yml"), b"x"),
        (member("link.yml", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (member("hard.yml", tarfile.LNKTYPE, "good.yml"), b""),
        (member("pipe.yml", tarfile.FIFOTYPE), b""),
        (member("disk.yml", tarfile.BLKTYPE), b""),
    )
    assert unpack(archive, tmp_path / "out") == ["link.yml", "hard.yml", "pipe.yml", "disk.yml"]
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["good.yml"]


def test_a_link_in_a_zip_is_left_out(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("link.yml")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as box:
        box.writestr(info, "/etc/passwd")
        box.writestr("__MACOSX/._x", "x")
    assert unpack(tmp_path / "x.zip", tmp_path / "out") == ["link.yml"]


def test_a_bomb_is_stopped_by_the_bytes_that_come_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_unpack, "_FREE", 1 << 16)
    zeros = b"\0" * (4 << 20)
    with pytest.raises(ValueError, match="unpacks to more than"):
        unpack(zip_of(tmp_path / "x.zip", a=zeros), tmp_path / "out")
    with pytest.raises(ValueError, match="unpacks to more than"):
        unpack(tar(tmp_path / "x.tar.gz", (member("a"), zeros)), tmp_path / "out2")


def test_a_bomb_between_the_members_is_stopped_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_unpack, "_FREE", 1 << 16)
    monkeypatch.setattr(_unpack, "_HEADERS", 1 << 16)
    archive = tar(tmp_path / "x.tar.gz", (member("a", b"Z"), b"\0" * (8 << 20)), (member("b"), b"x"))
    with pytest.raises(ValueError, match="unpacks to more than"):
        unpack(archive, tmp_path / "out")
    monkeypatch.setattr(_unpack, "_READ_LIMIT", 1 << 16)
    header = member("pax", tarfile.XHDTYPE)
    with pytest.raises(ValueError, match="a header of"):
        unpack(tar(tmp_path / "y.tar.gz", (header, b"1 a=b\n" * 50_000)), tmp_path / "out2")


def test_limits_of_size_and_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_unpack, "MEMBER_LIMIT", 10)
    with pytest.raises(ValueError, match="'a' is above the limit of 10 bytes"):
        unpack(zip_of(tmp_path / "x.zip", a=b"x" * 11), tmp_path / "out")
    monkeypatch.setattr(_unpack, "COUNT_LIMIT", 1)
    with pytest.raises(ValueError, match="more than 1 files; stopped at 'b'"):
        unpack(zip_of(tmp_path / "y.zip", a=b"", b=b""), tmp_path / "out2")
    monkeypatch.setattr(_unpack, "ARCHIVE_LIMIT", 5)
    with pytest.raises(ValueError, match="archive of"):
        unpack(tmp_path / "y.zip", tmp_path / "out3")


def test_two_members_in_one_place(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="claim one place"):
        unpack(tar(tmp_path / "x.tar.gz", (member("a"), b"1"), (member("a"), b"2")), tmp_path / "out")
    with pytest.raises(ValueError, match="claim one place"):
        unpack(tar(tmp_path / "y.tar.gz", (member("a"), b"1"), (member("a/b"), b"2")), tmp_path / "out2")


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "x.zip", a=b"x")
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the local header's flag …
    data[data.index(b"PK\x01\x02") + 8] |= 1  # … and the directory's
    path.write_bytes(data)
    with pytest.raises(ValueError, match="encrypted"):
        unpack(path, tmp_path / "out")


def test_damage(tmp_path: Path) -> None:
    whole = tar(tmp_path / "x.tar.gz", (member("a"), os.urandom(100_000))).read_bytes()
    for number, data in enumerate((b"", b"\x1f\x8b", whole[:5000], gzip.compress(b"no tar" * 500), b"text")):
        path = tmp_path / f"{number}.tar.gz"
        path.write_bytes(data)
        with pytest.raises(ValueError, match="damaged"):
            unpack(path, tmp_path / f"out{number}")


def test_a_folder_without_its_links_and_hidden_folders(tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / ".git").mkdir(parents=True)
    (source / ".git" / "x.yml").write_text("x")
    (source / "a.yml").write_text("x")
    (source / "l.yml").symlink_to("/etc/passwd")
    (source / "loop").symlink_to(source)
    os.mkfifo(source / "pipe")
    assert copy_folder(source, tmp_path / "out") == ["l.yml", "loop", "pipe"]
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["a.yml"]


@given(data=st.binary(max_size=300), kind=st.sampled_from(["zip", "tar.gz"]))
def test_arbitrary_bytes_never_raise_anything_else(
    data: bytes, kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("any")
    path = root / f"x.{kind}"
    path.write_bytes(gzip.compress(data) if kind == "tar.gz" else data)
    with contextlib.suppress(ValueError):
        unpack(path, root / "out")
