"""The Sigma detector: packs in, alerts out; and SigmaHQ's own regression data."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from detectors.sigma import ROUTE_LIMIT, Sigma, build
from vonggac.event import Alert, Event, LogSource
from vonggac.ports import Built, DetectorConfig, RuleSource
from vonggac.sigma.packs import unpacked
from vonggac.testing import make_event

RULE = """\
title: {title}
id: {id}
level: {level}
tags: [attack.t1543.003]
logsource: {source}
detection:
    selection:
        ServiceName|startswith: odd
    condition: selection
"""


def written(
    root: Path, number: int, *, level: str = "high", source: str = "{product: windows, service: system}"
) -> Path:
    root.mkdir(exist_ok=True)
    file = root / f"rule_{number}.yml"
    own = f"0b1f0a4e-6f0e-4d3c-9a55-9f6a6f1f1a{number:02}"
    file.write_text(RULE.format(title=f"Rule {number}", id=own, level=level, source=source))
    return file


def built(*roots: Path, **more: Any) -> Built:
    return build(DetectorConfig(packs=[RuleSource(root.name, root) for root in roots], **more))


def alerts(detector: Built, *events: Event) -> list[Alert]:
    assert detector.events is not None
    return [one for one in detector.events.judge(events) if isinstance(one, Alert)]


def service_installed(name: str = "odd1", channel: str = "System") -> Event:
    system = {"Channel": channel, "EventID": 7045, "Provider": {"#attributes": {"Name": "Service Control Manager"}}}
    return make_event({"winlog": {"Event": {"System": system, "EventData": {"ServiceName": name}}}})


def test_an_alert_says_what_matched(tmp_path: Path) -> None:
    written(tmp_path / "mine", 1)
    event = service_installed()
    [alert] = alerts(built(tmp_path / "mine"), service_installed("fine"), event)
    assert (alert.rule.name, alert.rule.ruleset, alert.rule.techniques) == ("Rule 1", "mine", ("T1543.003",))
    assert (alert.event, alert.matched, alert.unrouted) == (event, {"ServiceName": "odd1"}, False)


def test_a_rule_fires_only_in_its_log_source(tmp_path: Path) -> None:
    written(tmp_path / "mine", 1)
    detector = built(tmp_path / "mine")
    assert alerts(detector, service_installed(channel="Security")) == []
    assert alerts(detector, make_event({"winlog": {"Channel": "Application", "ServiceName": "odd1"}})) == []


def test_an_event_of_no_known_source_is_tried_against_all_and_marked(tmp_path: Path) -> None:
    written(tmp_path / "mine", 1)
    written(tmp_path / "mine", 2, source="{category: webserver}")
    event = make_event({"json": {"ServiceName": "odd"}, "event": {"module": "json", "dataset": "json"}})
    assert [(one.rule.name, one.unrouted) for one in alerts(built(tmp_path / "mine"), event)] == [
        ("Rule 1", True),
        ("Rule 2", True),
    ]
    said = make_event({"json": {"ServiceName": "odd"}, "vonggac": {"logsource": {"category": "webserver"}}})
    assert [(one.rule.name, one.unrouted) for one in alerts(built(tmp_path / "mine"), said)] == [("Rule 2", False)]


def test_levels_below_the_least_are_left_out(tmp_path: Path) -> None:
    for number, level in enumerate(("informational", "low", "medium", "high", "critical")):
        written(tmp_path / "mine", number, level=level)
    assert built(tmp_path / "mine").loaded == 5
    assert built(tmp_path / "mine", min_level="high").loaded == 2


def test_a_second_rule_of_one_id_is_refused_and_names_the_first(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a", 1), written(tmp_path / "b", 1)
    detector = built(tmp_path / "a", tmp_path / "b")
    assert detector.loaded == 1
    [refused] = detector.refused
    assert (refused.path, refused.line) == (str(second), 1)
    assert f"stands already in {first}:1" in refused.reason


def test_nothing_bad_in_a_pack_stops_the_rest(tmp_path: Path) -> None:
    written(tmp_path / "mine", 1)
    (tmp_path / "mine" / "bad.yml").write_text("detection: [")
    (tmp_path / "mine" / "worse.yml").write_bytes(b"\xff")
    detector = built(tmp_path / "mine", tmp_path / "gone")
    assert detector.loaded == 1
    assert [Path(one.path).name for one in detector.refused] == ["bad.yml", "worse.yml", "gone"]


def test_the_digest_follows_the_rules(tmp_path: Path) -> None:
    file = written(tmp_path / "mine", 1)
    first = built(tmp_path / "mine").events
    assert first is not None
    again = built(tmp_path / "mine").events
    file.write_text(file.read_text().replace("odd", "strange"))
    changed = built(tmp_path / "mine").events
    assert again is not None
    assert changed is not None
    assert first.digest == again.digest != changed.digest


def test_any_number_of_log_sources_is_remembered_within_a_limit() -> None:
    detector = Sigma([])
    for number in range(ROUTE_LIMIT + 10):
        detector.rules_for((LogSource("zeek", None, f"log{number}"),))
    assert len(detector._routes) <= ROUTE_LIMIT


# --------------------------------------------------------------- real data

#: SigmaHQ's counts that every engine exceeds
OVER = {
    "8fbf3271-1ef6-4e94-8210-03c2317947f6",
    "0b9ad457-2554-44c1-82c2-d56a99c42377",
    "45e112d0-7759-4c2a-aa36-9f8fb79d3393",
    "c7dcacd0-cc59-4004-b0a4-1d6cdebe6f3e",
}


@pytest.fixture(scope="session")
def sigmahq(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    [archive] = (test_data / "rules" / "sigma").glob("sigma-rules-*.tar.gz")
    return built(unpacked(archive, tmp_path_factory.mktemp("sigmahq")))


def winlog_events(records: Iterator[Any]) -> list[Event]:
    about = {"module": "windows", "dataset": "windows.x"}
    return [Event(str(number), {"winlog": one, "event": about}) for number, one in enumerate(records)]


def from_evtx(path: Path) -> Iterator[Any]:
    import evtx

    record: Any
    for record in evtx.PyEvtxParser(str(path)).records_json():
        yield orjson.loads(record["data"])


def from_twin(path: Path) -> Iterator[Any]:
    text, decoder, at = path.read_text("utf-8"), json.JSONDecoder(), 0
    while at < len(text.rstrip()):
        record, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        yield record


@pytest.mark.data
def test_the_whole_pack_loads_but_for_unknown_placeholders(sigmahq: Built) -> None:
    assert sigmahq.loaded >= 3_755
    assert [one for one in sigmahq.refused if "has no list" not in one.reason] == []


@pytest.mark.data
def test_every_case_of_sigmahqs_regression_data(sigmahq: Built, test_data: Path) -> None:
    """Each rule fires at least as often as its case says, on EVTX and on JSON; exactly so but for four known cases."""
    root = test_data / "sigma-regression"
    missed, inexact, cases = [], set(), 0
    for info in sorted(root.rglob("info.yml")):
        case = yaml.safe_load(info.read_text("utf-8"))
        own = case["rule_metadata"][0]["id"]
        for one in case["regression_tests_info"]:
            path = root / one["path"]
            for events in (winlog_events(from_evtx(path)), winlog_events(from_twin(path.with_suffix(".json")))):
                cases += 1
                count = Counter(alert.rule.id for alert in alerts(sigmahq, *events))[own]
                if count < (one.get("match_count") or 1):
                    missed.append(str(path))
                elif one.get("match_count") and count != one["match_count"]:
                    inexact.add(own)
    assert cases >= 100
    assert missed == []
    assert inexact <= OVER


@pytest.mark.data
def test_every_windows_log_source_of_the_pack_is_mapped_or_known_not_to_be(sigmahq: Built) -> None:
    from vonggac.sigma._tables import ALSO, CATEGORIES, SERVICES, SYSMON, UNMAPPED
    from vonggac.sigma._tables import REGISTRY as BY_TYPE

    assert isinstance(sigmahq.events, Sigma)
    sources = {rule.source for rule in sigmahq.events._rules if rule.source.product == "windows"}
    categories = {name for names in (*SYSMON.values(), *CATEGORIES.values()) for name in names} | set(BY_TYPE.values())
    assert {one.category for one in sources if one.category} - categories == set(UNMAPPED)
    assert {one.service for one in sources if one.service} <= {*SERVICES.values(), *ALSO.values()}


@pytest.mark.data
def test_two_engines_that_share_no_code_count_the_same(sigmahq: Built, test_data: Path) -> None:
    """Matches a rule and file on real Windows telemetry: as rsigma's, 4688 read as process_creation."""
    expected = json.loads((test_data / "rules" / "sigma" / "two-engines-otrf.json").read_text())["files"]
    small = {name: told for name, told in expected.items() if told["events"] <= 2_500}
    assert len(small) >= 10
    for name, told in small.items():
        archive, _, inner = name.rpartition("__")
        with zipfile.ZipFile(test_data / "host-json" / "otrf" / f"{archive}.zip") as box:
            [member] = [one for one in box.namelist() if Path(one).stem == Path(inner).stem and "__MACOSX" not in one]
            records = [orjson.loads(line) for line in box.read(member).splitlines() if line]
        found = Counter(alert.rule.id for alert in alerts(sigmahq, *winlog_events(iter(records))))
        assert found == Counter(told["rsigma"]) + Counter(told.get("rsigma_4688", {})), name
