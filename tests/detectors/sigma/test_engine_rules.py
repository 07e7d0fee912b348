"""The fast engine against the reference on rules as they are, ours and SigmaHQ's: on made events and on real ones."""

from __future__ import annotations

import random
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from detectors.sigma import Sigma
from detectors.sigma._atoms import Equal, Exists, Regex, Text
from detectors.sigma._load import Rule, rules_of
from detectors.sigma.engine import Engine
from detectors.sigma.reference import Every, Item, Node, Not
from tests.sigma_engines import same, told
from vonggac.event import Event
from vonggac.reading.rulefiles import SIGMA, rule_files
from vonggac.sigma.packs import unpacked

OWN = Path(__file__).parents[3] / "rules" / "sigma"


def loaded(root: Path) -> list[Rule]:
    files = [path for path in rule_files(root, SIGMA) if isinstance(path, Path)]
    return [one for path in files for one in rules_of(path, "pack", {}) if isinstance(one, Rule)]


def fitting(node: Node, wanted: bool, into: dict[str, Any], pick: random.Random) -> None:
    """Fill in the fields that make a rule's tree match, as far as one pass without thinking goes."""
    if isinstance(node, Not):
        fitting(node.inner, not wanted, into, pick)
    elif isinstance(node, Item):
        if wanted is not node.negated:
            chosen = node.atoms if node.every else [pick.choice(node.atoms)]
            found = [one for atom in chosen if (one := fitting_value(atom.meaning, pick)) is not None]
            name = node.field or "message"
            if found and not (isinstance(into.get(name), str) and isinstance(found[0], str)):
                into[name] = found[0] if len(found) == 1 else "".join(map(str, found))
            elif found:
                into[name] = "".join(map(str, [into[name], *found]))
    else:
        parts = list(getattr(node, "parts", ()))
        every = isinstance(node, Every) is wanted
        for part in parts if every else [pick.choice(parts)]:
            fitting(part, wanted, into, pick)


def fitting_value(meaning: Any, pick: random.Random) -> Any:
    if isinstance(meaning, Text):
        runs = pick.choice(meaning.patterns).runs
        return "".join(
            one if isinstance(one, str) else pick.choice(["", "x"]) if one.value == "*" else "y" for one in runs
        )
    if isinstance(meaning, Equal):
        return meaning.wanted if isinstance(meaning.wanted, bool | int) else str(meaning.wanted)
    if isinstance(meaning, Regex):
        return re.sub(r"\\[sdwb]|[\[\](){}+*?^$.|]", pick.choice(["a", "1", " "]), meaning.pattern)
    return "x" if isinstance(meaning, Exists) and meaning.wanted else None


def mutants(fields: dict[str, Any], pick: random.Random) -> Iterator[dict[str, Any]]:
    """Yield the event and near misses of it."""
    yield fields
    if not fields:
        return
    name = pick.choice(sorted(fields))
    value = fields[name]
    yield {other: one for other, one in fields.items() if other != name}
    yield {**fields, name: pick.choice([None, "", [], 1, "1", [value, "x"], {"x": value}])}
    if isinstance(value, str) and value:
        at = pick.randrange(len(value))
        yield {**fields, name: value.swapcase()}
        yield {**fields, name: value[:at] + value[at + 1 :]}
        yield {**fields, name: value[:at] + pick.choice("ſK–/\\\nĐ\u0301x") + value[at:]}
        yield {**fields, name: pick.choice(["x", "İ", "\ud800", "x" * 70_000]) + value}
        yield {**fields, name: value.replace("-", pick.choice("/–—―"))}


def directed(rules: Sequence[Rule], seed: int) -> Iterator[Event]:
    """Yield events made for each rule, said to be of its log source."""
    pick = random.Random(seed)
    for number, one in enumerate(rules):
        fields: dict[str, Any] = {}
        fitting(one.node, True, fields, pick)
        said = {"vonggac": {"logsource": one.source._asdict()}}
        for which, made in enumerate(mutants(fields, pick)):
            name = f"{number} {which}"
            message = {"message": made["message"]} if "message" in made else {}
            yield Event(name, {**said, "json": made, **message})
            yield Event(f"{name} w", {**said, "winlog": {"Event": {"System": {}, "EventData": made}}})


def test_our_own_rules_on_events_made_for_them() -> None:
    rules = loaded(OWN)
    assert len(rules) >= 22
    events = [one for seed in range(3) for one in directed(rules, seed)]
    found = same(rules, events)
    assert len({one[1] for one in found}) >= 15  # not those of regular expressions, which no simple text fits


@pytest.fixture(scope="module")
def sigmahq(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Rule]:
    [archive] = (test_data / "rules" / "sigma").glob("sigma-rules-*.tar.gz")
    return loaded(unpacked(archive, tmp_path_factory.mktemp("sigmahq")))


@pytest.mark.data
def test_sigmahqs_rules_on_events_made_for_them(sigmahq: list[Rule]) -> None:
    """Each 40th rule: its own event, and near misses of it."""
    events = list(directed(sigmahq[::40], 1))
    reference, fast = Sigma(sigmahq), Engine(sigmahq)
    found = told(fast, events)
    assert found == told(reference, events)
    assert len({one[1] for one in found}) > len(sigmahq) // 60


@pytest.mark.data
def test_sigmahqs_rules_on_real_events(sigmahq: list[Rule], test_data: Path) -> None:
    """The first events of each recording: alerts and what matched, equal."""
    reference, fast = Sigma(sigmahq), Engine(sigmahq)
    total = 0
    for archive in sorted((test_data / "host-json" / "otrf" / "atomic" / "windows").rglob("*.zip")):
        with zipfile.ZipFile(archive) as box:
            for member in box.namelist():
                if not member.endswith(".json") or "__MACOSX" in member:
                    continue
                records = [orjson.loads(line) for line in box.read(member).splitlines()[:60] if line]
                about = {"module": "windows", "dataset": "windows.x"}
                events = [Event(str(number), {"winlog": one, "event": about}) for number, one in enumerate(records)]
                found = told(fast, events)
                assert found == told(reference, events), member
                total += len(found)
    assert total > 20


@pytest.mark.data
def test_sigmahqs_rules_on_its_regression_data(sigmahq: list[Rule], test_data: Path) -> None:
    reference, fast = Sigma(sigmahq), Engine(sigmahq)
    total = 0
    for path in sorted((test_data / "sigma-regression").rglob("*.json")):
        text = path.read_text("utf-8").strip()
        about = {"module": "windows", "dataset": "windows.x"}
        records = [orjson.loads(f"{{{one}}}") for one in re.split(r"(?m)^\}\s*^\{", text[1:-1])]
        events = [Event(str(number), {"winlog": one, "event": about}) for number, one in enumerate(records)]
        found = told(fast, events)
        assert found == told(reference, events), path
        total += len(found)
    assert total >= 100
