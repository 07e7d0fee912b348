from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import text
from vonggac.event import Bad
from vonggac.ports import Head
from vonggac.testing import collector_contract, events_of, read_all, source_of, source_of_file

SAMPLE = b"""2026-03-01 08:02:03 status installed libc-bin:amd64 2.36-9
update-alternatives 2026-03-01 08:02:04: link group pager updated
[Sun Mar 01 01:02:03.250000 2026] [core:error] [pid 7:tid 8] [client 192.0.2.7:50700] AH00126: Invalid URI
2026/03/01 08:02:05 [error] 12#12: *3 open() failed, client: 192.0.2.8, server: _, request: "GET / HTTP/1.1"
2026-03-01T01:02:03.5Z WARN something else
Commandline: apt-get -qqy upgrade
"""


def doc_of(line: str) -> dict[str, Any]:
    (event,) = events_of(text, source_of(line.encode()))
    return event.doc


def test_contract() -> None:
    collector_contract(text, source_of(SAMPLE * 40), namespaces=())


def test_a_time_without_a_zone_is_local_and_marked() -> None:
    doc = doc_of("2026-03-01 08:02:03,123 INFO [main] started")
    assert doc["@timestamp"] == "2026-03-01T01:02:03.123000Z"
    assert doc["vonggac"] == {"time_inferred": True}
    assert doc["log"]["level"] == "info"
    assert doc["event"]["dataset"] == "linux.text"
    assert doc["message"] == doc["event"]["original"] == "2026-03-01 08:02:03,123 INFO [main] started"


def test_a_time_with_a_zone_is_exact() -> None:
    doc = doc_of("2026-03-01T01:02:03.5Z WARN something else")
    assert doc["@timestamp"] == "2026-03-01T01:02:03.500000Z"
    assert "vonggac" not in doc


def test_apache_and_nginx_name_the_client() -> None:
    doc = doc_of("[Sun Mar 01 08:02:03.25 2026] [core:error] [pid 7:tid 8] [client 192.0.2.7:50700] AH00126: Invalid")
    assert doc["@timestamp"] == "2026-03-01T01:02:03.250000Z"
    assert doc["source"] == {"ip": "192.0.2.7", "port": 50700}
    assert doc["log"]["level"] == "error"
    doc = doc_of("2026/03/01 08:02:05 [error] 12#12: *3 failed, client: 2001:db8::1, server: _")
    assert doc["source"] == {"ip": "2001:db8::1"}


def test_a_plain_line_is_an_event_without_time() -> None:
    doc = doc_of("Commandline: apt-get -qqy upgrade")
    assert "@timestamp" not in doc
    assert doc["message"] == "Commandline: apt-get -qqy upgrade"


@pytest.mark.parametrize(
    ("name", "data", "claim"),
    [
        ("dpkg.log", b"2026-03-01 08:02:03 startup\n", 5),
        ("term.log.1", b"no time at all\n", 5),
        ("journal-of-an-app", b"2026-03-01 08:02:03 x\n", 5),
        ("notes.md", b"# notes\nnothing of a log\n", 0),
        ("x.log", b"\x7fELF\0\0\0", 0),
        ("x.log", b"\xff\xfe\x9d\n" * 9, 0),
    ],
)
def test_claims(name: str, data: bytes, claim: int) -> None:
    assert text.claims(Head(name, data)) == claim


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    for record in read_all(text, source_of(data)):
        assert isinstance(record, Bad) or record.to_json()


@pytest.mark.data
def test_real_error_log(test_data: Path) -> None:
    events = events_of(text, source_of_file(test_data / "syslog/loghub/Apache/Apache_2k.log"))
    assert len(events) == 2000
    assert events[0].time == "2005-12-03T21:47:44.000000Z"
    assert {event.doc["log"]["level"] for event in events} == {"notice", "error"}
