"""Every rule of the house is held to the same checks, and to its samples: each hit fires it, no miss does."""

import json
import re
import unicodedata
import uuid
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from collectors import file as file_collector
from detectors import sigma, yara
from vonggac.event import LEVELS, Alert, Event
from vonggac.ports import Built, DetectorConfig, RuleSource
from vonggac.sigma.rulefile import read
from vonggac.testing import events_of, source_of_file

RULES = Path(str(resources.files("rules")))
SAMPLES = Path(__file__).parent
SIGMA = sorted((RULES / "sigma").rglob("*.yml"))
YARA = sorted((RULES / "yara").glob("*.yar"))
VIETNAMESE = re.compile(r"[ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ]", re.I)


def under(path: Path, folder: str) -> str:
    return path.relative_to(RULES / folder).with_suffix("").as_posix()


@pytest.fixture(scope="module")
def built() -> dict[str, Built]:
    config = DetectorConfig([RuleSource("vonggac", RULES)])
    return {"sigma": sigma.build(config), "yara": yara.build(config)}


def rule_of(path: Path) -> dict[str, Any]:
    (document,) = read(path)
    assert isinstance(document.value, dict)
    return document.value


def meta_of(path: Path) -> dict[str, Any]:
    """Read the one rule of a YARA file: its name under `rule`, and its meta."""
    import yara as library

    (rule,) = library.compile(source=path.read_text("utf-8"), externals={}, includes=False)
    return {"rule": rule.identifier, **rule.meta}


def in_vietnamese(text: str) -> bool:
    return bool(VIETNAMESE.search(text)) and unicodedata.is_normalized("NFC", text)


def is_uuid4(text: str) -> bool:
    return str(uuid.UUID(text)) == text and uuid.UUID(text).version == 4


# ------------------------------------------------------------------ as a whole


def test_all_rules_load(built: dict[str, Built]) -> None:
    assert [str(one) for one in (*built["sigma"].refused, *built["yara"].refused)] == []
    assert built["sigma"].loaded == len(SIGMA) >= 25
    assert built["yara"].loaded == len(YARA) >= 6


def test_ids_are_our_own_and_unique() -> None:
    ids = [rule_of(path)["id"] for path in SIGMA] + [meta_of(path)["id"] for path in YARA]
    assert all(map(is_uuid4, ids))
    assert len(set(ids)) == len(ids)


def test_every_sample_file_has_its_rule() -> None:
    samples = {path.relative_to(SAMPLES / "sigma").with_suffix("") for path in (SAMPLES / "sigma").rglob("*.jsonl")}
    assert samples == {path.relative_to(RULES / "sigma").with_suffix("") for path in SIGMA}
    assert {path.stem for path in (SAMPLES / "yara").glob("*.json")} == {path.stem for path in YARA}


# ----------------------------------------------------------------------- Sigma


@pytest.mark.parametrize("path", SIGMA, ids=lambda path: under(path, "sigma"))
def test_sigma_rule_says_what_a_person_needs(path: Path) -> None:
    rule = rule_of(path)
    assert path.stem == re.sub(r"[^a-z0-9]+", "_", rule["title"].lower()).strip("_"), "the file has the title's name"
    assert path.parent.name in (rule["logsource"].get("product"), rule["logsource"].get("category"), "web")
    assert rule["level"] in LEVELS
    assert rule["status"] in ("stable", "test", "experimental")
    assert (rule["author"], rule["license"]) == ("Vọng Gác", "Apache-2.0")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", rule["date"])
    assert len(rule["description"]) > 60
    assert rule["falsepositives"]
    assert any(re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", tag) for tag in rule["tags"]), "names a technique"
    assert any(re.fullmatch(r"attack\.[a-z-]+", tag) for tag in rule["tags"]), "names a tactic"
    for name in ("title_vi", "description_vi", "triage_vi"):
        assert in_vietnamese(rule["custom"][name]), name


@pytest.mark.parametrize("path", SIGMA, ids=lambda path: under(path, "sigma"))
def test_sigma_rule_fires_on_its_hits_alone(path: Path, built: dict[str, Built]) -> None:
    own = rule_of(path)["id"]
    lines = (SAMPLES / "sigma" / f"{under(path, 'sigma')}.jsonl").read_text("utf-8").splitlines()
    samples = [json.loads(line) for line in lines]
    detector = built["sigma"].events
    assert detector is not None
    wrong = []
    for sample in samples:
        assert sample.keys() == {"expect", "why", "event"}
        found = [one for one in detector.judge([Event("sample", sample["event"])]) if isinstance(one, Alert)]
        fired = any(alert.rule.id == own for alert in found)
        if fired != (sample["expect"] == "hit") or any(alert.unrouted for alert in found):
            wrong.append((sample["expect"], sample["why"]))
    assert wrong == []
    enough([sample["expect"] for sample in samples])


# ------------------------------------------------------------------------ YARA


@pytest.mark.parametrize("path", YARA, ids=lambda path: path.stem)
def test_yara_rule_says_what_a_person_needs(path: Path) -> None:
    meta = meta_of(path)
    assert meta["rule"] == path.stem
    assert re.fullmatch(r"[a-z][a-z0-9_]+", path.stem)
    assert len(meta["title"]) > 10
    assert in_vietnamese(meta["title_vi"])
    assert meta["level"] in LEVELS
    assert re.fullmatch(r"T\d{4}(\.\d{3})?", meta["technique"])
    assert re.fullmatch(r"TA\d{4}", meta["tactic"])
    assert (meta["author"], meta["license"]) == ("Vọng Gác", "Apache-2.0")


@pytest.mark.parametrize("path", YARA, ids=lambda path: path.stem)
def test_yara_rule_fires_on_its_hits_alone(path: Path, built: dict[str, Built], tmp_path: Path) -> None:
    """Samples stand in parts, joined here, so that no virus scanner takes the repository for what it is not."""
    own = meta_of(path)["id"]
    samples = json.loads((SAMPLES / "yara" / f"{path.stem}.json").read_text("utf-8"))
    detector = built["yara"].files
    assert detector is not None
    sample_file = tmp_path / "sample.bin"
    wrong = []
    for expect in ("hit", "miss"):
        for sample in samples[expect]:
            sample_file.write_bytes("".join(sample["parts"]).encode())
            (event,) = events_of(file_collector, source_of_file(sample_file))
            found = [one for one in detector.examine(event, sample_file) if isinstance(one, Alert)]
            if any(alert.rule.id == own for alert in found) != (expect == "hit"):
                wrong.append((expect, sample["why"]))
    assert wrong == []
    enough(["hit"] * len(samples["hit"]) + ["miss"] * len(samples["miss"]))


def test_the_eicar_text_stands_nowhere_whole() -> None:
    whole = b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE"
    root = RULES.parent
    files = [one for top in ("rules", "tests", "docs") for one in (root / top).rglob("*") if one.is_file()]
    assert [one for one in files if one.suffix != ".pyc" and whole in one.read_bytes()] == []


def enough(marks: list[str]) -> None:
    assert set(marks) == {"hit", "miss"}
    assert marks.count("hit") >= 2
    assert marks.count("miss") >= 2
