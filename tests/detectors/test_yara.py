import hashlib
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors import file as file_collector
from detectors import yara
from detectors._yarapack import load
from detectors.yara import Yara
from vonggac.event import Alert, Bad, Event
from vonggac.ports import Built, DetectorConfig, DetectorModule, FileDetector, RuleSource
from vonggac.testing import events_of, source_of_file

MODULE: DetectorModule = yara
APPLE = 'rule apple { meta: id = "a-1" title = "An apple" level = "high" strings: $word = "apple" condition: $word }'


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    folder.mkdir()
    return folder


def built(pack: Path, min_level: str = "informational") -> Built:
    return yara.build(DetectorConfig([RuleSource("test", pack)], min_level=min_level))


def detector(pack: Path) -> FileDetector:
    found = built(pack).files
    assert found is not None
    return found


def judged(one: FileDetector, path: Path, data: bytes) -> list[Alert | Bad]:
    path.write_bytes(data)
    (event,) = events_of(file_collector, source_of_file(path))
    return list(one.examine(event, path))


def alerts(one: FileDetector, path: Path, data: bytes) -> list[Alert]:
    found = judged(one, path, data)
    assert [str(bad) for bad in found if isinstance(bad, Bad)] == []
    return [alert for alert in found if isinstance(alert, Alert)]


def test_an_alert_names_the_rule_and_where_it_matched(pack: Path, tmp_path: Path) -> None:
    (pack / "fruit.yar").write_text(APPLE)
    (alert,) = alerts(detector(pack), tmp_path / "basket.txt", b"pear apple apple")
    assert (alert.rule.id, alert.rule.name, alert.rule.level, alert.rule.ruleset) == ("a-1", "An apple", "high", "test")
    assert alert.matched == {"$word": {"offset": 5, "preview": "apple"}}
    assert alerts(detector(pack), tmp_path / "basket.txt", b"pear") == []
    assert alerts(detector(pack), tmp_path / "basket.txt", b"") == []


def test_a_preview_is_short_text_whatever_matched(pack: Path, tmp_path: Path) -> None:
    (pack / "p.yar").write_text(
        'rule p { strings: $wide = "apple" wide $odd = { FF 00 FE } $long = /a{80}/ condition: any of them }'
    )
    data = "apple".encode("utf-16-le") + b"\xff\x00\xfe" + b"a" * 80
    (alert,) = alerts(detector(pack), tmp_path / "x", data)
    shown = {name: one["preview"] for name, one in alert.matched.items()}
    assert shown == {"$wide": "apple", "$odd": "\\xff\x00\\xfe", "$long": "a" * 64}


def test_nameless_strings_share_a_name_and_the_first_is_shown(pack: Path, tmp_path: Path) -> None:
    (pack / "p.yar").write_text('rule p { strings: $ = "one" $ = "two" condition: all of them }')
    (alert,) = alerts(detector(pack), tmp_path / "x", b"one two")
    assert alert.matched == {"$": {"offset": 0, "preview": "one"}}


def test_what_rules_may_ask_of_a_file_besides_its_bytes(pack: Path, tmp_path: Path) -> None:
    (pack / "e.yar").write_text(
        'rule e { condition: filename == "Setup.EXE" and filepath endswith "/Setup.EXE" and extension == ".exe" '
        'and filetype == "" and owner == "" }'
    )
    one = detector(pack)
    assert [alert.rule.id for alert in alerts(one, tmp_path / "Setup.EXE", b"MZ")] == ["yara/e"]
    assert alerts(one, tmp_path / "other.exe", b"MZ") == [], "equal bytes, another name: judged anew"


def test_a_file_seen_before_is_not_read_again(pack: Path, tmp_path: Path) -> None:
    (pack / "fruit.yar").write_text(APPLE)
    one = detector(pack)
    (first,) = alerts(one, tmp_path / "a.txt", b"an apple")
    gone = tmp_path / "gone.txt"
    (second,) = one.examine(first.event, gone)
    assert second == first
    event = Event("x", {"file": {"path": "gone.txt"}})  # without a hash nothing is known of it
    assert [str(bad) for bad in one.examine(event, gone)] == ["gone.txt: cannot be read: No such file or directory"]


def test_the_memory_of_verdicts_is_bounded(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yara, "VERDICTS", 2)
    (pack / "fruit.yar").write_text(APPLE)
    one = detector(pack)
    for number in range(4):
        alerts(one, tmp_path / "a.txt", b"an apple %d" % number)
    gone = tmp_path / "gone.txt"

    def known(number: int) -> bool:
        sha256 = hashlib.sha256(b"an apple %d" % number).hexdigest()
        event = Event("x", {"file": {"path": "gone.txt", "hash": {"sha256": sha256}}})
        return all(isinstance(found, Alert) for found in one.examine(event, gone))

    assert [known(number) for number in range(4)] == [False, False, True, True]


def test_a_file_above_the_cap_is_named_with_the_cap(pack: Path, tmp_path: Path) -> None:
    (pack / "fruit.yar").write_text(APPLE)
    one = Yara(load([RuleSource("test", pack)], "informational", None), size_cap=10)
    path = tmp_path / "large"
    assert len(alerts(one, path, b"apple12345")) == 1
    (bad,) = judged(one, path, b"apple123456")
    assert str(bad) == f"{path}: 11 bytes: YARA looks at files up to 10 bytes"


def test_a_file_that_takes_too_long_is_named(pack: Path, tmp_path: Path) -> None:
    (pack / "slow.yar").write_text(
        "rule slow { condition: for all i in (0..0x7fffffff) : (for all j in (0..0x7fffffff) : (i + j >= 0)) }"
    )
    one = Yara(load([RuleSource("test", pack)], "informational", None), time_limit=1)
    (bad,) = judged(one, tmp_path / "x", b"data")
    assert str(bad) == f"{tmp_path / 'x'}: YARA gave no verdict within 1 s"


def test_a_string_found_too_often_is_told_and_judged_all_the_same(pack: Path, tmp_path: Path) -> None:
    (pack / "many.yar").write_text('rule many { strings: $a = "a" condition: #a > 3 }')
    bad, alert = judged(detector(pack), tmp_path / "x", b"a" * 1_100_000)
    assert isinstance(bad, Bad)
    assert bad.kept
    assert (bad.place, bad.reason) == ("rule many, string $a", "found too often; later places were not seen")
    assert isinstance(alert, Alert)


def test_a_rule_that_logs_does_not_write_to_standard_output(
    pack: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (pack / "c.yar").write_text('import "console"\nrule c { condition: console.log("noise") }')
    assert len(alerts(detector(pack), tmp_path / "x", b"data")) == 1
    assert capfd.readouterr().out == ""


def test_without_rules_nothing_is_said(pack: Path, tmp_path: Path) -> None:
    found = built(pack)
    assert (found.loaded, list(found.refused), found.events) == (0, [], None)
    assert judged(detector(pack), tmp_path / "x", b"data") == []


def test_rules_below_the_level_of_interest_are_left_out(pack: Path, tmp_path: Path) -> None:
    (pack / "fruit.yar").write_text(APPLE + '\nrule low { meta: level = "low" condition: true }')
    found = built(pack, "medium")
    assert found.loaded == 1
    assert found.files is not None
    assert [alert.rule.id for alert in alerts(found.files, tmp_path / "x", b"apple")] == ["a-1"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(data=st.binary(max_size=500))
def test_any_bytes_are_judged(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "fruit.yar").write_text(APPLE)
    assert len(alerts(detector(folder), folder / "x", data)) == (b"apple" in data)


@pytest.fixture(scope="module")
def signature_base(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signature-base")
    (archive,) = (test_data / "rules" / "yara").glob("signature-base-*.tar.gz")
    with tarfile.open(archive) as packed:
        for number, member in enumerate(one for one in packed if one.name.endswith((".yar", ".yara"))):
            content = packed.extractfile(member)
            assert content is not None
            (folder / f"{number}-{Path(member.name).name}").write_bytes(content.read())
    return folder


@pytest.mark.data
def test_all_of_signature_base_loads(signature_base: Path, tmp_path: Path) -> None:
    """5,849 rules in yara/, and one vendor file; 13 of all are private and report nothing."""
    config = DetectorConfig([RuleSource("signature-base", signature_base)], cache=tmp_path / "cache")
    first = yara.build(config)
    assert list(first.refused) == []
    assert first.loaded >= 5_849
    again = yara.build(config)  # from the compiled form
    assert (again.loaded, list(again.refused)) == (first.loaded, [])
    assert first.files is not None
    assert again.files is not None
    assert first.files.digest == again.files.digest
    data = b"<?php @ev" + b"al(base64_" + b"decode($_PO" + b"ST['x'])); ?>"
    one, other = alerts(first.files, tmp_path / "x.php", data), alerts(again.files, tmp_path / "x.php", data)
    assert one == other
    assert one
