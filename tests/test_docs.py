"""The pages under docs/ name all that the code knows: fields, collectors, settings, summary keys, exit statuses."""

import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Final

import msgspec
import orjson
import pytest

from vonggac import event, settings, shelf
from vonggac.cli.results import _COLUMNS, FORMATS
from vonggac.pipeline.job import Outcome, Rules, Tally
from vonggac.serving.metrics import KNOWN

ROOT = Path(__file__).parents[1]
PAGES: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docker/*.md")])


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def first_cells(text: str) -> list[str]:
    """List the names in the first column of a page's tables."""
    cells = re.findall(r"(?m)^\| (`.*?) \|", text)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_field_has_its_row_in_their_order() -> None:
    fields = page("events.md").partition("## Fields")[2].partition("## Collectors")[0]
    assert first_cells(fields) == list(event.FIELDS)


def test_every_collector_has_its_row() -> None:
    collectors = page("events.md").partition("## Collectors")[2].partition("## Identity")[0]
    assert sorted(first_cells(collectors)) == list(shelf.names("collectors"))


def test_every_setting_has_its_row_with_its_twin_and_its_default() -> None:
    text = page("settings.md")
    known = settings.keys()
    assert first_cells(text) == list(known)
    for key in known:
        assert f"| `{key}` | `{settings.twin(key)}` |" in text
    for key in ("scan.workers", "scan.zone", "scan.unpack_ratio", "scan.tshark_seconds"):
        default = getattr(settings.Settings().scan, key.partition(".")[2])
        (shown,) = re.findall(rf"(?m)^\| `{key}` \| \S+ \| `?([^|`]*?)`? \|", text)
        assert shown == (default if isinstance(default, str) else f"{default:g}")


def test_the_settings_example_is_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", page("settings.md"), re.DOTALL)
    msgspec.convert(tomllib.loads(example), settings.Settings, strict=False)
    (tmp_path / "vonggac.toml").write_text(example, "utf-8")
    assert settings.load(str(tmp_path / "vonggac.toml"), {}).scan.workers == 4


def test_every_key_of_the_summary_is_explained() -> None:
    known = Outcome(Tally(), [], Rules(0, ()), 0.0).summary()
    told = page("alerts.md").partition("## The summary file")[2].partition("## Exit status")[0]
    assert sorted(first_cells(told)) == sorted(known)


def test_every_figure_has_its_row() -> None:
    told = page("service.md").partition("| figure | type | meaning |")[2].partition("## 6")[0]
    assert first_cells(told) == list(KNOWN)
    assert all(f"| `{name}` | {kind} |" in told for name, (kind, _meaning) in KNOWN.items())


def test_every_format_is_explained() -> None:
    assert set(FORMATS) <= set(first_cells(page("alerts.md")))
    assert ",".join(_COLUMNS) in page("alerts.md")


def test_the_severities_are_those_of_the_levels() -> None:
    assert ", ".join(f"{level} {event.SEVERITY[level]}" for level in event.LEVELS) in page("alerts.md")


def test_the_example_alert_is_one_of_ours() -> None:
    """The rule exists, and the ids follow from each other."""
    (text,) = re.findall(r"```json\n(.*?)```", page("alerts.md"), re.DOTALL)
    alert = orjson.loads(text)
    assert alert["event"]["id"] == event.digest("alert", alert["rule"]["id"], alert["vonggac"]["events"][0])
    rules = "".join(path.read_text("utf-8") for path in (ROOT / "rules" / "sigma").rglob("*.yml"))
    assert alert["rule"]["id"] in rules
    assert alert["rule"]["name"] in rules


def test_the_example_collector_passes_its_own_test(monkeypatch: pytest.MonkeyPatch) -> None:
    collector, test = re.findall(r"```python\n(.*?)```", page("adding.md"), re.DOTALL)
    squid, tests = ModuleType("collectors.squid"), ModuleType("test_squid")
    exec(compile(collector, "docs/adding.md", "exec"), squid.__dict__)  # noqa: S102  our own page
    monkeypatch.setitem(sys.modules, "collectors.squid", squid)
    monkeypatch.setattr("collectors.squid", squid, raising=False)
    exec(compile(test, "docs/adding.md", "exec"), tests.__dict__)  # noqa: S102
    tests.test_contract()
    tests.test_a_request()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text("utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
