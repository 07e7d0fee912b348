"""The house is held to its plan: one thing a file, a test for each, nothing silly in the tree."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from vonggac import shelf

ROOT = Path(__file__).parents[1]
SHELVES = ("collectors", "detectors", "connectors", "rules", "playbooks", "drills")
SOURCES = sorted(
    path.relative_to(ROOT)
    for top in ("vonggac", "collectors", "detectors", "connectors")
    for path in (ROOT / top).rglob("*.py")
    if "__pycache__" not in path.parts
)
TESTS = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py") if "__pycache__" not in path.parts)
#: data tables, which may be longer
TABLES: frozenset[str] = frozenset()


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name]


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_each_source_says_what_it_does_and_is_short(source: Path) -> None:
    text = (ROOT / source).read_text("utf-8")
    first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    assert len(first) > 20, "say in one line what it does"
    if str(source) not in TABLES:
        assert len(text.splitlines()) <= 400, "split it"


@pytest.mark.parametrize("test", TESTS, ids=str)
def test_each_test_file_is_short(test: Path) -> None:
    """What test files share counts as well."""
    assert len((ROOT / test).read_text("utf-8").splitlines()) <= 400, "split it"


@pytest.mark.parametrize("source", [one for one in SOURCES if not one.name.startswith("_")], ids=str)
def test_each_source_has_a_test_of_its_name(source: Path) -> None:
    """A private `_helper.py` is tested through the file that it serves."""
    name = f"test_{source.stem}.py"
    assert (ROOT / "tests" / source.parent / name).exists(), f"wanted: tests/{source.parent}/{name}"


@pytest.mark.parametrize("shelf_name", SHELVES)
def test_the_shelves_stand_and_say_what_they_hold(shelf_name: str) -> None:
    folder = ROOT / shelf_name
    things = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("_")]
    assert things, "a shelf without content yet holds a README line"


def test_no_init_under_tests() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == [], "it would shadow the real packages"


def test_no_machine_shows_in_the_tree() -> None:
    pattern = re.compile(rb"(?<![\w.])/(?:work|root|home/\w+)/")
    found = [
        f"{path.relative_to(ROOT)}: {match[0].decode()}"
        for path in tracked()
        if path.is_file()
        and path.suffix in (".py", ".md", ".toml", ".yml", ".txt", ".cfg", "")
        and path.name != "test_house.py"
        for match in pattern.finditer(path.read_bytes())
    ]
    assert [one for one in found if not one.startswith("tests/")] == []


def test_the_locks_name_no_address() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text("utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "--index-url" not in text


def test_names_on_a_shelf_are_its_files() -> None:
    files = {path.stem for path in (ROOT / "collectors").glob("[a-z]*.py")}
    assert set(shelf.names("collectors")) == files


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no collector named 'nix'; known: .*syslog"):
        shelf.collector("nix")
