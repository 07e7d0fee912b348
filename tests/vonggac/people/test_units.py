"""The unit table: a CSV held to a tree, and the unit of an event by host, then by the longest network."""

from pathlib import Path

import pytest

from vonggac.people.units import Unit, Units, below, read_csv, save, saved

TABLE = """id,name,parent,hosts,networks
tinh,Tỉnh,,,10.0.0.0/8
so-yte,Sở Y tế,tinh,dc-yte;*.yte.example,10.1.0.0/16
xa-a,Xã A,tinh,,10.1.7.0/24;2001:db8::/32
"""


@pytest.fixture
def units(tmp_path: Path) -> list[Unit]:
    file = tmp_path / "units.csv"
    file.write_text(TABLE, "utf-8")
    return read_csv(file)


@pytest.mark.parametrize(
    ("doc", "unit"),
    [
        ({"host": {"name": "DC-YTE"}}, "so-yte"),
        ({"host": {"name": "dc-yte.tinh.example"}}, "so-yte"),
        ({"host": {"name": "pc9.yte.example"}}, "so-yte"),
        ({"source": {"ip": "10.1.7.9"}}, "xa-a"),
        ({"source": {"ip": "10.1.8.9"}}, "so-yte"),
        ({"source": {"ip": "198.51.100.1"}, "destination": {"ip": "10.9.9.9"}}, "tinh"),
        ({"host": {"name": "elsewhere", "ip": ["2001:db8::7"]}}, "xa-a"),
        ({"source": {"ip": "not an address"}}, "default"),
        ({"host": {"name": {"a": 1}}, "source": {"ip": "10.1.7.9"}}, "xa-a"),
        ({"host": "dc-yte", "source": {"ip": ["10.1.8.9"]}, "destination": []}, "so-yte"),
        ({"host": {"name": "x" * 5_000}, "source": {"ip": 7}}, "default"),
        ({}, "default"),
    ],
)
def test_an_event_is_of_the_unit_of_its_host_or_network(units: list[Unit], doc: dict[str, object], unit: str) -> None:
    assert Units(units).of(doc) == unit


def test_the_table_is_kept(units: list[Unit], tmp_path: Path) -> None:
    save(units, tmp_path / "data" / "units.json")
    assert saved(tmp_path / "data" / "units.json") == units
    assert saved(tmp_path / "none.json") == []


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "units.json").write_text('[{"id": 1}]')
    with pytest.raises(ValueError, match=r"units.json: damaged"):
        saved(tmp_path / "units.json")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("id,name\n", r"line 1: the columns are id,name; wanted: id,name,parent,hosts,networks"),
        ("id,name,parent,hosts,networks\na,A,,,10.0.0.0/40\n", r"line 2: networks: '10.0.0.0/40' is no network"),
        ("id,name,parent,hosts,networks\na,A\n", r"line 2: wrong number of cells"),
        ("id,name,parent,hosts,networks\n,A,,,\n", r"line 2: id is empty"),
        ("id,name,parent,hosts,networks\na,A,b,,\n", r"unit 'a': parent 'b' is not in the table"),
        ("id,name,parent,hosts,networks\na,A,b,,\nb,B,a,,\n", r"its parents go round in a circle"),
        ("id,name,parent,hosts,networks\na,A,,,\na,B,,,\n", r"unit 'a' stands twice"),
        ("id,name,parent,hosts,networks\na,A,,pc1,\nb,B,,PC1,\n", r"pc1 belongs to two units"),
    ],
)
def test_what_is_no_tree_is_refused(tmp_path: Path, rows: str, says: str) -> None:
    file = tmp_path / "units.csv"
    file.write_text(rows)
    with pytest.raises(ValueError, match=says):
        read_csv(file)


def test_a_table_of_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "units.csv"
    file.write_bytes("id,name,parent,hosts,networks\nso-y-te,Sở,,,\n".encode("utf-16"))
    with pytest.raises(ValueError, match=r"units.csv: line 1: not UTF-8; in Excel"):
        read_csv(file)


def test_a_unit_stands_for_all_below_it() -> None:
    units = [Unit(name, name, parent, (), ()) for name, parent in (("t", None), ("a", "t"), ("a1", "a"), ("b", "t"))]
    assert below(units, ["a"]) == {"a", "a1"}
    assert below(units, ["t", "b"]) == {"t", "a", "a1", "b"}
    assert below(units, ["other"]) == {"other"}
    assert below(units, []) == frozenset()
