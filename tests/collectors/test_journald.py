import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import journald
from vonggac.event import Bad, Event
from vonggac.ports import Head
from vonggac.testing import collector_contract, events_of, read_all, source_of

ENTRY = (
    '{"__CURSOR":"s=1;i=%d","__REALTIME_TIMESTAMP":"1772298123250000","_BOOT_ID":"b","PRIORITY":"6",'
    '"SYSLOG_FACILITY":"10","_HOSTNAME":"web1","SYSLOG_IDENTIFIER":"sshd","_PID":"811","_UID":"0",'
    '"_EXE":"/usr/sbin/sshd","_CMDLINE":"sshd: an [priv]",'
    '"MESSAGE":"Failed password for an from 192.0.2.7 port 50112 ssh2"}\n'
)
JSON = "".join(ENTRY % number for number in range(250)).encode()
EXPORT = (
    b"__CURSOR=s=1;i=%d\n__REALTIME_TIMESTAMP=1772298123250000\n_HOSTNAME=web1\nSYSLOG_IDENTIFIER=app\n"
    b"MESSAGE\n\x09\0\0\0\0\0\0\0two\nlines\n_PID=12\n\n"
)
EXPORTED = b"".join(EXPORT % number for number in range(250))


def test_contract_of_json_lines() -> None:
    collector_contract(journald, source_of(JSON), namespaces=("journald",))


def test_contract_of_the_export_format() -> None:
    collector_contract(journald, source_of(EXPORTED), namespaces=("journald",))


def test_an_entry() -> None:
    (event,) = events_of(journald, source_of((ENTRY % 1).encode()))
    doc = event.doc
    assert doc["@timestamp"] == "2026-02-28T17:02:03.250000Z"
    assert doc["host"] == {"name": "web1"}
    assert doc["process"] == {
        "name": "sshd",
        "executable": "/usr/sbin/sshd",
        "command_line": "sshd: an [priv]",
        "pid": 811,
    }
    assert doc["user"] == {"id": "0", "name": "an"}
    assert doc["source"] == {"ip": "192.0.2.7", "port": 50112}
    assert doc["event"]["outcome"] == "failure"
    assert doc["log"]["level"] == "info"
    assert doc["log"]["syslog"] == {"priority": 86}
    assert event.raw == (ENTRY % 1).encode().rstrip()
    assert event.doc["journald"]["_PID"] == "811"


def test_the_id_is_the_cursors_whatever_the_format() -> None:
    (one,) = events_of(journald, source_of((ENTRY % 7).encode()))
    (two,) = events_of(journald, source_of(EXPORT % 7))
    assert one.id == two.id


def test_a_binary_message() -> None:
    (event,) = events_of(journald, source_of(EXPORT % 1))
    assert event.doc["message"] == "two\nlines"
    assert event.doc["process"] == {"name": "app", "pid": 12}
    numbers = b'{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1772298123250000","MESSAGE":[104,225,187,143,105]}'
    (event,) = events_of(journald, source_of(numbers))
    assert event.doc["message"] == "hỏi"


def test_pretty_printed_entries_become_one_line() -> None:
    (event,) = events_of(journald, source_of((ENTRY % 1).replace(",", ",\n\t").replace("{", "{\n\t").encode()))
    assert b"\n" not in event.to_json()


def test_a_field_that_claims_too_much_is_named_and_the_rest_goes_on() -> None:
    broken = EXPORT.replace(b"\x09\0\0\0\0\0\0\0", b"\xff" * 8)
    first, bad, last = read_all(journald, source_of(EXPORT % 1 + broken % 2 + EXPORT % 3))
    assert isinstance(first, Event)
    assert isinstance(bad, Bad)
    assert bad.reason == "field 'MESSAGE' claims 18,446,744,073,709,551,615 bytes, above 8,388,608"
    assert isinstance(last, Event)


def test_bad_json_is_named() -> None:
    event, bad = read_all(journald, source_of((ENTRY % 1).encode() + b'{"__CURSOR":}\n'))
    assert isinstance(event, Event)
    assert "not JSON" in str(bad)


def test_claims() -> None:
    assert journald.claims(Head("journal.json", JSON)) == 93
    assert journald.claims(Head("journal.export", EXPORTED)) == 96
    assert journald.claims(Head("x.json", b'{"MESSAGE":"x"}\n')) == 0


@pytest.mark.parametrize(
    "start", [b"__CURSOR=c\n__REALTIME_TIMESTAMP=1\n", b'{"__REALTIME_TIMESTAMP":"1","__CURSOR":"']
)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(start: bytes, data: bytes) -> None:
    for record in read_all(journald, source_of(start + data)):
        assert isinstance(record, Bad) or record.to_json()
