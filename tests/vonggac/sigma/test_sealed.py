"""A cache file is there whole under its key, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.sigma import sealed

KEY = bytes(range(16))


def test_a_body_comes_back_under_its_key_alone(tmp_path: Path) -> None:
    place = tmp_path / "made" / "a.vgcache"
    assert sealed.load(place, KEY) is None
    sealed.store(place, KEY, b"body")
    assert sealed.load(place, KEY) == b"body"
    assert sealed.load(place, bytes(16)) is None
    sealed.store(place, KEY, b"")
    assert sealed.load(place, KEY) == b""
    assert [one.name for one in place.parent.iterdir()] == ["a.vgcache"]
    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@given(st.data())
def test_any_damage_is_found(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    place = tmp_path_factory.getbasetemp() / "damaged.vgcache"
    sealed.store(place, KEY, b"some body of bytes")
    good = place.read_bytes()
    at = data.draw(st.integers(0, len(good) - 1))
    bad = data.draw(
        st.sampled_from([good[:at], good + b"x", good[:at] + bytes([good[at] ^ 0x40]) + good[at + 1 :], b""])
    )
    place.write_bytes(bad)
    assert sealed.load(place, KEY) is None


def test_what_others_may_write_or_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    place = tmp_path / "a.vgcache"
    sealed.store(place, KEY, b"body")
    link = tmp_path / "link"
    link.symlink_to(place)
    assert sealed.load(link, KEY) is None
    place.chmod(0o620)
    assert sealed.load(place, KEY) is None
    os.mkfifo(tmp_path / "fifo")
    assert sealed.load(tmp_path / "fifo", KEY) is None
    assert sealed.load(tmp_path, KEY) is None


def test_what_cannot_be_stored_leaves_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        sealed.store(tmp_path / "file" / "a", KEY, b"body")
    with pytest.raises(ValueError, match="a key has"):
        sealed.store(tmp_path / "a", b"short", b"body")
    monkeypatch.setattr(sealed, "SIZE_LIMIT", 3)
    with pytest.raises(ValueError, match="limit"):
        sealed.store(tmp_path / "a", KEY, b"body")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
