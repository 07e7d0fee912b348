"""Packs through the cache: the same book with it, without it, and after whatever happened to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from detectors.sigma import rulebook
from detectors.sigma.documents import RuleDocument
from detectors.sigma.rulebook import Book
from vonggac.sigma import sealed
from vonggac.sigma.packs import unpacked
from vonggac.sigma.rulefile import SIZE_LIMIT

RULE = """\
title: Odd service
level: high
logsource: {product: windows, service: system}
detection:
    selection: {EventID: 7045, Size|gt: 1.5}
    condition: selection
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.yml").write_text(RULE)
    (folder / "b.yml").write_text(f"jobs: []\n---\n{RULE.replace('high', 'extreme')}---\n{RULE}")
    (folder / "sub" / "c.yaml").write_bytes(b"\xff")
    (folder / "empty.yml").write_bytes(b"")
    (folder / "link.yml").symlink_to("a.yml")
    return folder


def loaded(pack: Path, cache: Path | None, *, strict: bool = False) -> Book:
    return rulebook.load([("mine", pack)], cache, strict=strict)


def faults(book: Book) -> list[tuple[str, int, str, str]]:
    return [(Path(file.path).name, one.line, one.at, one.reason) for file in book.files for one in file.faults]


def test_a_pack_with_what_is_wrong_in_it(pack: Path) -> None:
    book = loaded(pack, None)
    assert [(Path(file.path).name, len(file.documents)) for file in book.files] == [
        ("a.yml", 1), ("b.yml", 1), ("empty.yml", 0), ("c.yaml", 0)]  # fmt: skip
    [level, not_text] = faults(book)
    assert level[:3] == ("b.yml", 4, "/level")
    assert not_text[:2] == ("c.yaml", 1)
    assert "UTF-8" in not_text[3]
    assert [Path(one.path).name for one in book.refused] == ["link.yml"]
    strict = faults(loaded(pack, None, strict=True))
    assert [(name, line) for name, line, _, _ in strict] == [
        ("b.yml", 1),
        ("b.yml", 4),
        ("empty.yml", 1),
        ("c.yaml", 1),
    ]


def test_the_cache_changes_nothing_but_the_work(pack: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    plain, first, second = loaded(pack, None), loaded(pack, cache), loaded(pack, cache)
    assert plain.files == first.files == second.files
    assert (first.judged, second.judged, first.unsaved, second.unsaved) == (4, 0, "", "")
    assert loaded(pack, cache, strict=True).files == loaded(pack, None, strict=True).files
    (pack / "a.yml").write_text(RULE.replace("7045", "7046"))
    assert loaded(pack, cache).judged == 1
    assert loaded(pack, cache).judged == 0


def test_a_cache_that_is_damaged_or_of_other_code_is_made_anew(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    place = cache / rulebook.FILE
    whole = loaded(pack, cache)
    place.write_bytes(place.read_bytes()[:-1])
    assert loaded(pack, cache) == whole
    for body in (b"", b"\xc1", b"\x81\xc4\x01a\xc1"):  # the right digest, by another hand
        sealed.store(place, rulebook.key(), body)
        assert loaded(pack, cache).files == whole.files
    monkeypatch.setattr(rulebook, "key", lambda: bytes(16))
    assert loaded(pack, cache).judged == 4


def test_a_cache_that_cannot_be_written_is_said(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    book = loaded(pack, tmp_path / "file" / "cache")
    assert book.files == loaded(pack, None).files
    assert "file" in book.unsaved


def test_packs_not_loaded_now_are_kept_within_a_limit(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, other = tmp_path / "cache", tmp_path / "other"
    other.mkdir()
    for number in range(20):
        (other / f"{number}.yml").write_text(RULE.replace("7045", str(number)))
    loaded(other, cache)
    loaded(pack, cache)
    assert loaded(other, cache).judged == 0
    monkeypatch.setattr(rulebook, "UNUSED_LIMIT", 5)
    loaded(pack, cache)
    assert loaded(other, cache).judged == 20


def test_a_file_too_large(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_bytes(b"#" * (SIZE_LIMIT + 1))
    [(_, _, _, reason)] = faults(loaded(tmp_path, None))
    assert "limit" in reason


def test_the_reference_of_a_rule_without_id_hangs_on_pack_and_title(pack: Path) -> None:
    [one] = loaded(pack, None).files[0].documents
    assert isinstance(one, RuleDocument)
    ref = rulebook.ref_of(one, "mine")
    assert (ref.name, ref.level, ref.ruleset, ref.version) == ("Odd service", "high", "mine", one.version)
    assert ref.id == rulebook.ref_of(one, "mine").id != rulebook.ref_of(one, "other").id


def test_pysigma_is_not_imported(pack: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from detectors.sigma import rulebook;"
        "rulebook.load([('mine', Path(sys.argv[1]))], None); print('sigma' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    ran = subprocess.run([sys.executable, "-c", code, str(pack)], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


@pytest.mark.data
def test_all_public_rules_from_the_cache(test_data: Path, tmp_path: Path) -> None:
    [packed] = (test_data / "rules" / "sigma").glob("*.tar.gz")
    root = unpacked(packed, tmp_path)
    cold = loaded(root, tmp_path / "cache")
    warm = loaded(root, tmp_path / "cache")
    assert (cold.judged > 3_700, warm.judged) == (True, 0)
    assert cold.files == warm.files
    assert faults(warm) == []
