import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import auditd
from vonggac.event import Bad, Event
from vonggac.ports import Head, ReadOptions
from vonggac.testing import collector_contract, events_of, read_all, source_of, source_of_file

EXEC = b"""type=SYSCALL msg=audit(1772298123.250:%(n)d): arch=c000003e syscall=59 success=yes exit=0 a0=55 ppid=10 \
pid=11 auid=1000 uid=0 comm="cat" exe="/usr/bin/cat" key="secrets"
type=EXECVE msg=audit(1772298123.250:%(n)d): argc=3 a0="cat" a1=2F6574632F746F702073656372657431 a2="-n"
type=CWD msg=audit(1772298123.250:%(n)d): cwd="/root"
type=PATH msg=audit(1772298123.250:%(n)d): item=0 name="/usr/bin/cat" nametype=NORMAL
type=PROCTITLE msg=audit(1772298123.250:%(n)d): proctitle=636174002F657463
"""
LOGIN = (
    b"node=web1 type=USER_LOGIN msg=audit(1772298124.5:90): pid=7 uid=0 auid=4294967295 ses=1 "
    b'msg=\'op=login acct="an" exe="/usr/sbin/sshd" hostname=? addr=192.0.2.7 terminal=ssh res=failed\'\x1dUID="root"\n'
)
SAMPLE = b"".join(EXEC % {b"n": n} for n in range(150)) + LOGIN


def test_contract() -> None:
    collector_contract(auditd, source_of(SAMPLE), namespaces=("auditd",))


def test_the_records_of_one_serial_are_one_event() -> None:
    (event,) = events_of(auditd, source_of(EXEC % {b"n": 5}))
    doc = event.doc
    assert doc["@timestamp"] == "2026-02-28T17:02:03.250000Z"
    assert [record["type"] for record in doc["auditd"]["records"]] == ["SYSCALL", "EXECVE", "CWD", "PATH", "PROCTITLE"]
    assert doc["event"]["action"] == "execve"
    assert doc["event"]["category"] == ["process"]
    assert doc["event"]["outcome"] == "success"
    assert doc["event"]["original"].count("\n") == 4
    assert doc["process"] == {
        "executable": "/usr/bin/cat",
        "name": "cat",
        "pid": 11,
        "parent": {"pid": 10},
        "command_line": "cat /etc/top secret1 -n",
    }
    assert doc["user"] == {"id": "0"}
    assert doc["file"] == {"path": "/usr/bin/cat"}
    assert doc["auditd"]["serial"] == "5"


def test_a_login_with_node_and_enriched_names() -> None:
    (event,) = events_of(auditd, source_of(LOGIN))
    (record,) = event.doc["auditd"]["records"]
    assert record["acct"] == "an"
    assert record["UID"] == "root"
    assert event.doc["host"] == {"name": "web1"}
    assert event.doc["user"] == {"id": "0", "name": "an"}
    assert event.doc["source"] == {"ip": "192.0.2.7"}
    assert event.doc["event"]["outcome"] == "failure"


def test_interleaved_and_late_records_find_their_event() -> None:
    one, two = ((EXEC % {b"n": n}).splitlines() for n in (1, 2))
    mixed = b"\n".join([one[0], two[0], one[1], two[1], two[2], one[2], *two[3:], *one[3:]])
    first, second = events_of(auditd, source_of(mixed))
    for event, serial in ((first, "1"), (second, "2")):
        assert event.doc["auditd"]["serial"] == serial
        assert len(event.doc["auditd"]["records"]) == 5


def test_a_serial_seen_again_after_64_lines_is_another_event() -> None:
    far = b"".join(LOGIN.replace(b":90)", b":%d)" % (200 + n)) for n in range(65))
    events = events_of(auditd, source_of(LOGIN + far + LOGIN))
    assert len(events) == 67
    assert len({event.id for event in events}) == 67


def test_resuming_between_interleaved_events() -> None:
    slow = [line + b"\n" for line in (EXEC % {b"n": 9}).splitlines()]
    quick = [LOGIN.replace(b":90)", b":%d)" % (200 + n)) for n in range(400)]
    mixed = quick[:90] + slow[:1] + quick[90:150] + slow[1:2] + quick[150:210] + slow[2:] + quick[210:]
    source = source_of(b"".join(mixed))
    batches = list(auditd.open(source, ReadOptions()).read(None))
    for position, (_, mark) in enumerate(batches[:-1]):
        rest = [record for records, _ in batches[position + 1 :] for record in records]
        assert read_all(auditd, source, mark=mark) == rest
    joined = [record for records, _ in batches for record in records if isinstance(record, Event)]
    assert [len(event.doc["auditd"]["records"]) for event in joined if event.doc["auditd"]["serial"] == "9"] == [5]


def test_what_is_no_record_is_named() -> None:
    event, bad = read_all(auditd, source_of(LOGIN + b"garbage\n"))
    assert isinstance(event, Event)
    assert str(bad) == f"sample.log: offset {len(LOGIN)}: no record of the audit log"


def test_invalid_utf8_is_kept_and_counted() -> None:
    event, bad = read_all(auditd, source_of(LOGIN.replace(b'"an"', b'"\xff"')))
    assert isinstance(event, Event)
    assert isinstance(bad, Bad)
    assert bad.kept


def test_claims() -> None:
    assert auditd.claims(Head("audit.log", SAMPLE)) == 96
    assert auditd.claims(Head("audit.log", b"type=x msg=y\n")) == 0


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    for record in read_all(auditd, source_of(b"type=EXECVE msg=audit(1772298124.5:90): " + data)):
        assert isinstance(record, Bad) or record.to_json()


@pytest.mark.data
@pytest.mark.parametrize("name", ["audit-rhel6.log", "audit-rhel7.log", "audit-ubuntu17.log", "test2.log"])
def test_values_equal_the_goldens(test_data: Path, name: str) -> None:
    folder = test_data / "auditd/go-libaudit/auparse/testdata"
    records: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for event in read_all(auditd, source_of_file(folder / name)):
        if isinstance(event, Event):
            for record in event.doc["auditd"]["records"]:
                records[event.doc["auditd"]["serial"], record["type"].lower()].append(record)
    for golden in filter(None, json.loads((folder / f"{name}.golden").read_text())):
        record = records[str(golden["sequence"]), golden["record_type"]].pop(0)
        for field, value in golden["data"].items():
            if field not in TRANSLATED and not field.startswith(("subj_", "obj_")):
                assert record.get(field) == value, (golden["record_type"], field)


@pytest.mark.data
def test_out_of_order(test_data: Path) -> None:
    events = events_of(auditd, source_of_file(test_data / "auditd/go-libaudit/testdata/out_of_order.log"))
    shape = [(event.doc["auditd"]["serial"], len(event.doc["auditd"]["records"])) for event in events]
    assert shape == [("58", 2), ("59", 5), ("60", 5), ("61", 4), ("62", 1)]
    assert events[0].doc["destination"] == {"ip": "169.254.169.254", "port": 80}


#: fields that go-libaudit translates (4294967295 to "unset", numbers to names), where the log's own value is kept
TRANSLATED = ("result", "arch", "syscall", "exit", "auid", "old-auid", "ses", "key", "addr", "family", "port", "path")
