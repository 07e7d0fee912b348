"""Zeek logs: TSV and JSON say the same; headers, types, escapes; what is damaged."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import zeek
from vonggac.event import Bad, Event
from vonggac.ports import Head, ReadOptions
from vonggac.reading.source import Limits
from vonggac.reading.walk import inputs
from vonggac.testing import collector_contract, events_of, read_all, source_of

CONN = {
    "ts": 1772330584.000005,
    "uid": "CHhAvVGS1DHFjwGM9",
    "id.orig_h": "192.0.2.10",
    "id.orig_p": 49152,
    "id.resp_h": "198.51.100.7",
    "id.resp_p": 443,
    "proto": "tcp",
    "service": "ssl",
    "duration": 1.25,
    "orig_bytes": 517,
    "resp_bytes": 4096,
    "conn_state": "SF",
    "local_orig": True,
    "tunnel_parents": [],
}


def tsv(path: str, columns: str, types: str, *rows: str) -> bytes:
    r"""Write a log as Zeek does; blanks in the arguments stand for tabs, `~` for a blank."""
    head = [r"#separator \x09", "#set_separator ,", "#empty_field (empty)", "#unset_field -", f"#path {path}"]
    text = [*head, "#open 2026-03-01-02-03-04", f"#fields {columns}", f"#types {types}", *rows, "#close 2026-03-01-03"]
    lines = [text[0], *(line.replace(" ", "\t").replace("~", " ") for line in text[1:])]
    return "".join(f"{line}\n" for line in lines).encode()


COLUMNS = "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes conn_state"
TYPES = "time string addr port addr port enum string interval count count string"
ROW = "1772330584.000005 CHhAvVGS1DHFjwGM9 192.0.2.10 49152 198.51.100.7 443 tcp ssl 1.25 517 4096 SF"
CONN_TSV = tsv("conn", f"{COLUMNS} local_orig tunnel_parents", f"{TYPES} bool set[string]", f"{ROW} T (empty)")


def lines(*values: dict[str, Any]) -> bytes:
    return "".join(f"{json.dumps(one)}\n" for one in values).encode()


def read_one(data: bytes, name: str = "conn.log") -> dict[str, Any]:
    (event,) = events_of(zeek, source_of(data, name))
    return event.doc


# ------------------------------------------------------------------ the port


def test_the_contract() -> None:
    rows = [ROW.replace("49152", str(port)) for port in range(1000, 1230)]
    collector_contract(zeek, source_of(tsv("conn", COLUMNS, TYPES, *rows), "conn.log"), namespaces=("zeek",))
    many = [{**CONN, "id.orig_p": port} for port in range(1000, 1230)]
    collector_contract(zeek, source_of(lines(*many), "conn.log"), namespaces=("zeek",))


def test_a_connection_in_ecs() -> None:
    doc = read_one(CONN_TSV)
    assert doc["@timestamp"] == "2026-03-01T02:03:04.000005Z"
    assert doc["event"] == {
        "kind": "event",
        "module": "zeek",
        "dataset": "zeek.conn",
        "category": ["network"],
        "duration": 1_250_000_000,
        "original": f"{ROW} T (empty)".replace(" ", "\t"),
    }
    assert doc["source"] == {"ip": "192.0.2.10", "port": 49152, "bytes": 517}
    assert doc["destination"] == {"ip": "198.51.100.7", "port": 443, "bytes": 4096}
    assert doc["network"] == {"transport": "tcp", "protocol": "ssl"}
    assert doc["zeek"] == CONN


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (lines(CONN), "conn.log"),
        (lines(CONN), "conn.00:00:00-01:00:00.log"),
        (lines(CONN), "conn_20260301.json"),
        (lines({"_path": "conn", "_system_name": "probe1", "_write_ts": "2026-03-01T02:03:09Z", **CONN}), "spool.json"),
        (lines({"@stream": "conn", "@system": "probe1", **CONN}), "combined.log"),
        (lines({name.replace(".", "_"): value for name, value in CONN.items()} | {"@stream": "conn"}), "x.log"),
        (
            lines(
                {name: value for name, value in CONN.items() if not name.startswith("id.")}
                | {"id": {name[3:]: value for name, value in CONN.items() if name.startswith("id.")}}
            ),
            "conn.log",
        ),
        (lines({**CONN, "ts": "2026-03-01T02:03:04.000005Z"}), "conn.log"),
    ],
    ids=["dotted", "rotated", "renamed", "Corelight", "stream", "underscores", "nested", "ISO times"],
)
def test_json_says_what_tsv_says_however_it_is_written(data: bytes, name: str) -> None:
    plain, doc = read_one(CONN_TSV), read_one(data, name)
    assert doc["event"]["dataset"] == "zeek.conn"
    for field in ("@timestamp", "source", "destination", "network"):
        assert doc[field] == plain[field]
    assert doc["zeek"] == json.loads(data), "the vendor's object is unchanged"


def test_the_sensor_is_the_host() -> None:
    assert read_one(lines({"_path": "conn", "_system_name": "probe1", **CONN}))["host"] == {"name": "probe1"}


# ------------------------------------------------------------------- TSV


def test_a_header_in_the_middle_counts_from_there() -> None:
    data = CONN_TSV + tsv("dns", "ts uid query", "time string string", "1772330585 Cabc example.com")
    conn, dns = events_of(zeek, source_of(data))
    assert conn.doc["event"]["dataset"] == "zeek.conn"
    assert dns.doc["event"]["dataset"] == "zeek.dns"
    assert dns.doc["dns"] == {"question": {"name": "example.com"}}


def test_an_indented_header_is_a_header() -> None:
    data = b"\t" + tsv("conn", COLUMNS, TYPES, *[ROW] * 250)
    batches = list(zeek.open(source_of(data), ReadOptions()).read(None))
    assert list(zeek.open(source_of(data), ReadOptions()).read(batches[0][1])) == batches[1:]


def test_reading_goes_on_below_the_header_that_counts() -> None:
    data = b"".join(
        tsv(f"log{number}", " ".join(f"f{one}" for one in range(number)), "count " * number, *["7 " * number] * 70)
        for number in range(2, 6)
    ).replace(b"\t\n", b"\n")
    collector_contract(zeek, source_of(data), namespaces=("zeek",))


def test_a_cut_line_is_kept_and_named() -> None:
    data = tsv("conn", COLUMNS, TYPES, ROW)
    cut = data[: data.index(b"\ttcp")]
    event, bad = read_all(zeek, source_of(cut, "conn.log"))
    assert isinstance(event, Event)
    assert event.doc["destination"] == {"ip": "198.51.100.7", "port": 443}
    assert isinstance(bad, Bad)
    assert bad.reason == "6 columns, the header has 12"
    assert bad.kept


@pytest.mark.parametrize("ts", [True, "soon", 1e300, [], None])
def test_json_without_a_time_that_can_be_read(ts: Any) -> None:
    found = read_all(zeek, source_of(lines({**CONN, "ts": ts})))
    assert isinstance(found[0], Event)


@pytest.mark.parametrize(
    "odd", [{"id": []}, {"id": {"orig_h": {}}}, {"uri": 5}, {"tx_hosts": [[]]}, {"duration": -1e9}]
)
@pytest.mark.parametrize("path", ["http", "files", "conn", "notice", {}, 7])
def test_values_of_other_kinds_do_no_harm(path: Any, odd: dict[str, Any]) -> None:
    (event,) = events_of(zeek, source_of(lines({"ts": 1, "_path": path, **odd}), "conn.log"))
    assert Event.from_json(event.to_json()).id == event.id


# ---------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("data", "name", "score"),
    [
        (CONN_TSV, "anything", 99),
        (lines(CONN), "anything", 90),
        (lines({"ts": 1, "fuid": "FqhaAy4xsmJ3AR63A3"}), "anything", 90),
        (lines({"ts": 1, "uids": ["CS6Wmy1mA7yYBY7uCl"]}), "anything", 90),
        (lines({"ts": 1, "id": {"orig_h": "192.0.2.1"}}), "anything", 90),
        (lines({"_path": "stats", "_write_ts": "2026-03-01T02:03:04Z"}), "anything", 90),
        (lines({"name": "/opt/zeek/share/zeek/base/init-bare.zeek"}), "loaded_scripts.log", 80),
        (lines({"ts": 1, "host": "192.0.2.1"}), "known_hosts.log", 80),
        (lines({"ts": 1, "note": "Scan::Port_Scan"}), "notice.log", 80),
        (lines({"ts": 1, "note": "remember the milk"}), "shopping.log", 0),
        (lines({"ts": 1, "id": 5}), "http.log", 0),
        (lines({"ts": 1, "host": "web1", "level": "info"}), "http.log", 0),
        (lines({"debug": True}), "config.json", 0),
        (b"#fields\ta\n1\n", "conn.log", 0),
        (b"text", "conn.log", 0),
        (b"\0" * 100, "conn.log", 0),
    ],
)
def test_claims(data: bytes, name: str, score: int) -> None:
    assert zeek.claims(Head(name, data)) == score


def test_only_json_lines_can_be_shared() -> None:
    assert zeek.splits(Head("conn.log", lines(CONN)))
    assert not zeek.splits(Head("conn.log", CONN_TSV))


@given(st.binary(max_size=300), st.lists(st.text('#\t\\x2d,-(empty)T1.é"', max_size=30), max_size=4))
def test_any_bytes_below_a_header_are_read_or_named(noise: bytes, rows: list[str]) -> None:
    data = CONN_TSV[: CONN_TSV.index(b"#close")] + "\n".join(rows).encode() + b"\n" + noise
    for record in read_all(zeek, source_of(data)):
        assert isinstance(record, Bad) or record.to_json()


# ------------------------------------------------------------- real logs


@pytest.mark.data
def test_both_forms_of_one_recording_say_the_same(test_data: Path) -> None:
    folder = test_data / "zeek-logs" / "wrccdc2018"
    logs = sorted(path.name.removesuffix(".log.gz") for path in (folder / "zeek-default").glob("*.log.gz"))
    assert len(logs) == 15
    for log in logs:
        text = gzip.decompress((folder / "zeek-default" / f"{log}.log.gz").read_bytes())
        twin = gzip.decompress((folder / "zeek-json" / f"{log}.json.gz").read_bytes())
        events = events_of(zeek, source_of(text, f"{log}.log"))
        twins = events_of(zeek, source_of(twin, f"{log}.json"))
        assert len(events) == len(twins) > 0, log
        for event, other in zip(events, twins, strict=True):
            assert _ecs(event) == _ecs(other)
            names = {name for name in other.doc["zeek"] if name[0] != "_"}  # _path and the like: the writer's
            assert names == event.doc["zeek"].keys()


def _ecs(event: Event) -> dict[str, Any]:
    doc = {name: value for name, value in event.doc.items() if name not in ("log", "zeek")}
    return {**doc, "event": {name: value for name, value in doc["event"].items() if name != "original"}}


@pytest.mark.data
def test_every_real_log_is_claimed_and_read(test_data: Path) -> None:
    folder = test_data / "zeek-logs"
    logs = sorted(path for path in folder.rglob("*.log") if path.is_file())
    assert len(logs) == 29
    odd: dict[str, int] = {}
    for path in logs:
        data = path.read_bytes()
        source = source_of(data, path.name)
        assert zeek.claims(source.head) >= 80, path
        found = read_all(zeek, source)
        records = [line for line in data.splitlines() if line and not line.startswith((b"#", b"\t#"))]
        assert sum(isinstance(one, Event) for one in found) == len(records), path
        if bad := [one for one in found if isinstance(one, Bad)]:
            assert all(one.kept for one in bad), path
            odd[f"{path.parent.name}/{path.name}"] = len(bad)
    # the last line of it has 23 columns of 26, so that two values stand below the wrong type
    assert odd == {"test10-mixed-zeek-dir/notice.log": 3}


@pytest.mark.data
def test_logs_inside_the_recordings_of_attacks(test_data: Path) -> None:
    read = 0
    for archive in sorted((test_data / "host-json/otrf/compound").rglob("*_zeek_logs.zip")):
        for source in inputs(str(archive), Limits()):
            assert not isinstance(source, Bad)
            assert zeek.claims(source.head) == 99
            read += len(events_of(zeek, source))
    assert read == 545
