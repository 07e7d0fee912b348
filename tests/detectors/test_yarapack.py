import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors import _yarapack
from detectors._yarapack import Compiled, level_of, load
from vonggac.ports import Refused, RuleSource

GOOD = "rule good { condition: true }"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    return folder


def loaded(pack: Path, cache: Path | None = None) -> Compiled:
    return load([RuleSource("test", pack)], "informational", cache)


def names(compiled: Compiled) -> list[str]:
    return sorted(name for _, name in compiled.refs)


def refused(compiled: Compiled) -> list[tuple[str, int, str]]:
    return [(Path(one.path).name, one.line, one.reason) for one in compiled.refused]


def test_a_file_that_does_not_compile_is_refused_by_line_and_the_rest_runs(pack: Path) -> None:
    (pack / "bad.yar").write_text('rule bad {\n  strings:\n    $a = "x"\n  condition: $b }')
    (pack / "deep").mkdir()
    (pack / "deep" / "good.yara").write_text(GOOD)
    found = loaded(pack)
    assert names(found) == ["good"]
    assert refused(found) == [("bad.yar", 4, 'undefined string "$b"')]


def test_what_a_rule_file_may_not_do(pack: Path) -> None:
    (pack / "a.yar").write_text(f'include "good.yar"\n{GOOD}')
    (pack / "b.yar").write_bytes(b"rule b {\n condition: true // \xff\n}")
    (pack / "c.yar").write_bytes(b"rule c\0 { condition: true }")
    (pack / "d.yar").write_text("rule d { strings: $a = /(/ condition: $a }")
    (pack / "e.yar").write_text("rule e { condition: secret == 1 }")
    (pack / "good.yar").write_text(GOOD)
    found = loaded(pack)
    assert names(found) == ["good"]
    assert [(name, line) for name, line, _ in refused(found)] == [
        ("b.yar", 2), ("c.yar", 1), ("a.yar", 1), ("d.yar", 1), ("e.yar", 1),
    ]  # fmt: skip
    assert refused(found)[0][2] == "not UTF-8 at byte 29"
    assert refused(found)[1][2] == "holds a NUL byte"
    assert refused(found)[2][2] == "includes are disabled"


def test_a_rule_file_beyond_the_limit_is_refused(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_yarapack, "SIZE_LIMIT", 40)
    (pack / "large.yar").write_text(GOOD + " " * 40)
    (pack / "good.yar").write_text(GOOD)
    found = loaded(pack)
    assert names(found) == ["good"]
    assert refused(found) == [("large.yar", 1, "file is above the limit of 40 bytes")]


def test_hidden_files_and_other_files_are_no_rules_and_links_are_named(pack: Path) -> None:
    (pack / "good.yar").write_text(GOOD)
    (pack / ".hidden.yar").write_text("rule hidden { condition: true }")
    (pack / "readme.txt").write_text("no rule")
    (pack / "link.yar").symlink_to(pack / "good.yar")
    os.mkfifo(pack / "pipe.yar")
    found = loaded(pack)
    assert names(found) == ["good"]
    assert refused(found) == [
        ("link.yar", 1, "is a link, not a file: not followed"),
        ("pipe.yar", 1, "is a FIFO, not a file: not followed"),
    ]


def test_a_pack_may_be_one_file_and_a_pack_that_is_gone_is_named(pack: Path) -> None:
    file = pack / "good.yar"
    file.write_text(GOOD)
    assert names(loaded(file)) == ["good"]
    assert loaded(pack / "gone").refused == [
        Refused(str(pack / "gone"), 1, "cannot be read: No such file or directory")
    ]


def test_ids_come_from_meta_where_they_are_one_rules_own(pack: Path) -> None:
    (pack / "ids.yar").write_text(
        'rule own { meta: id = "i-1" condition: true }\n'
        'rule shared_a { meta: id = "i-2" condition: true }\n'
        'rule shared_b { meta: id = "i-2" condition: true }\n'
        "rule plain { condition: true }\n"
        "private rule helper { condition: true }\n"
    )
    found = loaded(pack)
    assert sorted(ref.id for ref in found.refs.values()) == ["i-1", "yara/plain", "yara/shared_a", "yara/shared_b"]


def test_a_rule_whose_id_stands_already_is_refused(pack: Path) -> None:
    (pack / "a.yar").write_text(GOOD)
    (pack / "b.yar").write_text(f"// again\n{GOOD}")
    found = loaded(pack)
    assert list(found.refs) == [("test/a.yar", "good")]
    assert refused(found) == [("b.yar", 2, f"rule id yara/good stands already in {pack / 'a.yar'}")]


def test_what_meta_says_of_a_rule(pack: Path) -> None:
    (pack / "m.yar").write_text(
        'rule m { meta: title = "A  long\\n title" technique = "T1505.003, T1190" tactic = "TA0003" condition: true }'
    )
    (ref,) = loaded(pack).refs.values()
    assert ref.name == "A long title"
    assert ref.techniques == ("T1505.003", "T1190")
    assert ref.tactics == ("TA0003",)


def test_level_by_name_then_by_score_then_medium() -> None:
    assert level_of({"level": "Critical", "score": 10}) == "critical"
    assert level_of({"level": "grave", "score": 75}) == "high"
    assert [level_of({"score": one}) for one in (0, 10, 40, 60, 80, 100)] == [
        "informational", "informational", "low", "medium", "high", "critical",
    ]  # fmt: skip
    assert level_of({"score": True}) == "medium"
    assert level_of({"score": "75"}) == "medium"
    assert level_of({}) == "medium"


def test_whether_a_rule_asks_for_names(pack: Path) -> None:
    (pack / "a.yar").write_text('rule a { meta: filetype = "PE" strings: $a = "filename" condition: $a }')
    assert not loaded(pack).asks_names
    (pack / "b.yar").write_text('rule b { condition: filename == "x" }')
    assert loaded(pack).asks_names


def test_the_digest_is_of_the_rules_not_of_their_place(pack: Path, tmp_path: Path) -> None:
    (pack / "good.yar").write_text(GOOD)
    here = loaded(pack).digest
    assert loaded(pack.rename(tmp_path / "moved")).digest == here
    (tmp_path / "moved" / "good.yar").write_text(GOOD + " ")
    assert loaded(tmp_path / "moved").digest != here


# ------------------------------------------------------------------- on disk


def stored(cache: Path) -> list[Path]:
    return sorted((cache / "yara").iterdir())


def test_the_compiled_form_is_used_again(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pack / "good.yar").write_text(GOOD)
    (pack / "bad.yar").write_text("rule bad {")
    first = loaded(pack, tmp_path / "cache")
    (file,) = stored(tmp_path / "cache")
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(_yarapack, "_compiled", None)  # would be called
    second = loaded(pack, tmp_path / "cache")
    assert (second.refs, second.refused, second.digest) == (first.refs, first.refused, first.digest)
    assert [one.rule for one in second.rules.match(data=b"")] == ["good"]


@pytest.mark.parametrize("damage", [b"", b"junk", b"vonggac-yara 00\n{}"])
def test_a_damaged_compiled_form_is_built_anew(pack: Path, tmp_path: Path, damage: bytes) -> None:
    (pack / "good.yar").write_text(GOOD)
    loaded(pack, tmp_path / "cache")
    (file,) = stored(tmp_path / "cache")
    whole = file.read_bytes()
    file.write_bytes(damage)
    assert names(loaded(pack, tmp_path / "cache")) == ["good"]
    assert file.read_bytes()[:80] == whole[:80]


def test_one_changed_byte_is_damage(pack: Path, tmp_path: Path) -> None:
    (pack / "good.yar").write_text(GOOD)
    loaded(pack, tmp_path / "cache")
    (file,) = stored(tmp_path / "cache")
    whole = bytearray(file.read_bytes())
    whole[-1] ^= 1
    file.write_bytes(whole)
    assert _yarapack._saved(file) is None


def test_a_folder_that_others_may_write_to_is_not_trusted(pack: Path, tmp_path: Path) -> None:
    (pack / "good.yar").write_text(GOOD)
    (tmp_path / "cache" / "yara").mkdir(parents=True)
    (tmp_path / "cache" / "yara").chmod(0o777)
    assert names(loaded(pack, tmp_path / "cache")) == ["good"]
    assert stored(tmp_path / "cache") == []


def test_old_compiled_forms_are_dropped(pack: Path, tmp_path: Path) -> None:
    for number in range(_yarapack.KEPT + 2):
        (pack / "good.yar").write_text(f"{GOOD} // {number}")
        loaded(pack, tmp_path / "cache")
    assert len(stored(tmp_path / "cache")) == _yarapack.KEPT


def test_a_cache_that_cannot_be_made_costs_only_time(pack: Path, tmp_path: Path) -> None:
    (pack / "good.yar").write_text(GOOD)
    (tmp_path / "cache").write_text("a file stands here")
    assert names(loaded(pack, tmp_path / "cache")) == ["good"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    data=st.one_of(st.binary(max_size=200), st.text(alphabet='rule a{}condition:$="x/\n', max_size=80).map(str.encode))
)
def test_any_rule_file_is_loaded_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "any.yar").write_bytes(data)
    found = loaded(folder)
    assert len(found.refused) <= 1
