import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import syslog
from vonggac.event import Bad, Event
from vonggac.ports import Head, ReadOptions
from vonggac.testing import NOW, collector_contract, events_of, read_all, source_of, source_of_file

SAMPLE = rb"""Mar  1 08:02:03 web1 sshd[811]: Failed password for invalid user admin from 192.0.2.7 port 50112 ssh2
Mar  1 08:02:09 web1 sshd[811]: Accepted publickey for an from 192.0.2.8 port 50113 ssh2: ED25519 SHA256:abc
<86>Mar  1 08:03:00 web1 sudo:    binh : TTY=pts/0 ; PWD=/home/binh ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow
2026-03-01T08:04:05.250000+07:00 web1 CRON[900]: (root) CMD (run-parts /etc/cron.hourly)
<165>1 2026-03-01T01:05:00.5Z gw1 app 77 ID47 [origin@32473 ip="192.0.2.1" note="a \"b\" \]"][x@1 n="1"] done
Mar  1 08:05:01 fw1 kernel: [12.5] [UFW BLOCK] IN=eth0 OUT= SRC=192.0.2.9 DST=198.51.100.1 PROTO=TCP SPT=40000 DPT=22
    a continuation without a header
"""


def doc_of(line: str) -> dict[str, Any]:
    (event,) = events_of(syslog, source_of(line.encode()))
    return event.doc


def test_contract() -> None:
    collector_contract(syslog, source_of(SAMPLE * 30), namespaces=("syslog",))


def test_rfc3164_gets_zone_and_year_from_outside_and_says_so() -> None:
    doc = doc_of("Dec 31 23:59:58 web1 sshd[811]: Server listening on 0.0.0.0 port 22.")
    assert doc["@timestamp"] == "2025-12-31T16:59:58.000000Z"  # the file is of 1 March 2026, the zone +07:00
    assert doc["vonggac"] == {"time_inferred": True}
    assert doc["host"] == {"name": "web1"}
    assert doc["process"] == {"name": "sshd", "pid": 811}
    assert doc["message"] == "Server listening on 0.0.0.0 port 22."
    assert doc["event"]["dataset"] == "linux.syslog"
    assert doc["event"]["original"].startswith("Dec 31")


def test_the_zone_is_an_option() -> None:
    source = source_of(b"Mar  1 08:02:03 web1 cron[1]: x", modified=datetime(2020, 3, 2, tzinfo=UTC))
    ((event,), _) = next(iter(syslog.open(source, ReadOptions(zone="UTC")).read(None)))
    assert isinstance(event, Event)
    assert event.time == "2020-03-01T08:02:03.000000Z"


def test_an_unknown_zone_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'Mars/Base' is no time zone"):
        syslog.open(source_of(SAMPLE), ReadOptions(zone="Mars/Base"))


def test_iso_times_carry_their_zone() -> None:
    doc = doc_of("<30>2026-03-01T08:04:05.25+07:00 web1 systemd[1]: Started x.service.")
    assert doc["@timestamp"] == "2026-03-01T01:04:05.250000Z"
    assert "vonggac" not in doc
    assert doc["log"]["syslog"] == {"priority": 30}


def test_rfc5424_with_structured_data() -> None:
    doc = doc_of(
        '<165>1 2026-03-01T01:05:00.5Z gw1 app 77 ID47 [o@1 ip="192.0.2.1" n="a \\"b\\" \\]" n="2"][x@1] \ufeffdone'
    )
    assert doc["@timestamp"] == "2026-03-01T01:05:00.500000Z"
    assert doc["process"] == {"name": "app", "pid": 77}
    assert doc["message"] == "done"
    assert doc["syslog"] == {
        "procid": "77",
        "msgid": "ID47",
        "sd": {"o@1": {"ip": "192.0.2.1", "n": ['a "b" ]', "2"]}, "x@1": {}},
    }


def test_rfc5424_with_nothing_known() -> None:
    doc = doc_of("<34>1 - - - - - - hello")
    assert "@timestamp" not in doc
    assert "host" not in doc
    assert doc["message"] == "hello"


@pytest.mark.parametrize(
    ("line", "host", "program", "message"),
    [
        ("Mar  1 08:02:03 dropbear[12]: no host", None, "dropbear", "no host"),
        ("Mar  1 08:02:03 mail postfix/smtps/smtpd[9]: x: y", "mail", "postfix/smtps/smtpd", "x: y"),
        ("Mar  1 08:02:03 <4.6> box sshd[9]: level by -v", "box", "sshd", "level by -v"),
        ("Mar  1 08:02:03 mac Google Chrome Helper[9]: blanks", "mac", "Google Chrome Helper", "blanks"),
        ("Mar  1 2026 08:02:03 fw %ASA-6-302013: Built", "fw", "%ASA-6-302013", "Built"),
        ("Mar  1 08:02:03 fw 1,2026/03/01,TRAFFIC", "fw", None, "1,2026/03/01,TRAFFIC"),
        ("- 1772298123 2026.03.01 n1 Mar 1 08:02:03 n1/n1 crond(pam)[9]: z", "n1/n1", "crond(pam)", "z"),
    ],
)
def test_headers_as_programs_write_them(line: str, host: str | None, program: str | None, message: str) -> None:
    doc = doc_of(line)
    assert doc.get("host", {}).get("name") == host
    assert doc.get("process", {}).get("name") == program
    assert doc["message"] == message
    assert doc["@timestamp"].startswith("2026-0")


def test_bodies_are_taken_apart() -> None:
    assert doc_of('Mar  1 08:02:03 h app: @cee: {"a": {"b": 1}}')["syslog"] == {"json": {"a": {"b": 1}}}
    doc = doc_of("Mar  1 08:02:03 h CEF: 0|V|P|1|100|Login|5|src=192.0.2.1 spt=99 suser=an msg=two words")
    assert doc["syslog"]["cef"]["msg"] == "two words"
    assert doc["source"] == {"ip": "192.0.2.1", "port": 99}
    assert doc["user"] == {"name": "an"}


def test_digits_that_are_no_numbers() -> None:
    assert doc_of("Mar  1 08:02:03 h app[\u00b2]: x")["process"] == {"name": "app"}
    assert "@timestamp" not in doc_of("CEF:0|V|P|1|100|N|5|rt=\u00b2")
    assert doc_of("CEF:0|V|P|1|100|N|5|rt=1772298123250")["@timestamp"] == "2026-02-28T17:02:03.250000Z"


def test_a_firewall_without_a_header() -> None:
    doc = doc_of(
        'date=2026-03-01 time=08:02:03 tz="+0700" devname="fg1" srcip=192.0.2.1 dstip=198.51.100.2 action=deny'
    )
    assert doc["@timestamp"] == "2026-03-01T01:02:03.000000Z"
    assert doc["host"] == {"name": "fg1"}
    assert doc["source"] == {"ip": "192.0.2.1"}
    assert doc["syslog"]["kv"]["action"] == "deny"


def test_a_line_without_header_is_an_event_without_time() -> None:
    doc = doc_of("    at java.lang.Thread.run(Thread.java:840)")
    assert "@timestamp" not in doc
    assert doc["message"] == "    at java.lang.Thread.run(Thread.java:840)"


def test_a_day_that_does_not_exist_is_named_and_the_line_kept() -> None:
    event, bad = read_all(syslog, source_of(b"Feb 30 08:02:03 h app: x"))
    assert isinstance(event, Event)
    assert event.time is None
    assert str(bad) == "sample.log: offset 0: Feb 30 08:02:03 is no time"
    assert isinstance(bad, Bad)
    assert bad.kept


def test_claims() -> None:
    def claim(data: bytes) -> int:
        return syslog.claims(Head("x.log", data))

    assert claim(SAMPLE) == 70
    assert claim(b"<34>1 2026-03-01T01:05:00Z h a - - - x\n" * 3) == 92
    assert claim(b"2026-03-01T01:05:00Z INFO main: an application's own log\n") == 0
    assert claim(b"2026-03-01 01:02:03,123 INFO x\n") == 0
    assert claim(b"Mar  1 08:02:03 h a: x\0\n" * 9) == 0
    assert claim(b"\0" * 3_000 + b"Mar  1 08:02:03 h a: x\n") == 70
    assert claim(b'{"a": 1}\n') == 0


def live_doc(message: bytes, received: datetime = NOW) -> dict[str, Any]:
    (event,) = syslog.live("Asia/Ho_Chi_Minh", "tcp 127.0.0.1:5514")(message, "192.0.2.9", received)
    assert isinstance(event, Event)
    return event.doc


def test_a_live_message_is_read_as_a_line_of_a_file_is() -> None:
    for line in SAMPLE.splitlines()[:-1]:
        live, filed = live_doc(line), doc_of(line.decode())
        assert live["log"].pop("source") == {"address": "192.0.2.9"}
        del filed["log"]["file"], filed["log"]["offset"]
        assert live == filed


def test_a_live_message_has_a_random_id() -> None:
    judge = syslog.live("UTC", "udp")
    ids = {record.id for _ in range(1_000) for record in judge(b"<13>x", "192.0.2.9", NOW) if isinstance(record, Event)}
    assert len(ids) == 1_000
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)


def test_a_live_message_without_host_and_time_has_those_of_its_receipt() -> None:
    doc = live_doc(b"<34>1 - - - - - - hello")
    assert doc["host"] == {"ip": "192.0.2.9"}
    assert doc["@timestamp"] == "2026-03-01T08:00:00.000000Z"
    assert doc["vonggac"] == {"time_inferred": True, "time_received": True}


def test_the_year_of_a_live_message_goes_with_the_time_of_receipt() -> None:
    judge = syslog.live("UTC", "udp")
    times = []
    for received in (NOW, NOW + timedelta(days=365), NOW - timedelta(days=62)):
        (event,) = judge(b"<13>Dec 31 23:59:58 h a: x", "192.0.2.9", received)
        assert isinstance(event, Event)
        times.append(event.doc["@timestamp"][:10])
    assert times == ["2025-12-31", "2026-12-31", "2024-12-31"]


def test_what_is_odd_about_a_live_message_is_told_and_it_is_kept() -> None:
    event, *bad = syslog.live("UTC", "udp 127.0.0.1:5514")(b"<13>Feb 30 08:02:03 h app: \xff", "192.0.2.9", NOW)
    assert isinstance(event, Event)
    assert event.doc["message"] == "\ufffd"
    at = "udp 127.0.0.1:5514: from 192.0.2.9 at 2026-03-01T08:00:00.000000Z"
    assert [str(one) for one in bad] == [
        f"{at}: invalid UTF-8 at byte 27 of the line",
        f"{at}: Feb 30 08:02:03 is no time",
    ]
    assert all(isinstance(one, Bad) and one.kept for one in bad)


def test_a_live_message_in_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="'Mars/Base' is no time zone"):
        syslog.live("Mars/Base", "udp")


@given(st.binary(max_size=300))
def test_arbitrary_live_bytes_never_raise(data: bytes) -> None:
    judge = syslog.live("UTC", "udp")
    for message in (data, b"<13>1 2026-03-01T08:00:00Z h a - - " + data):
        assert all(isinstance(record, Bad) or record.to_json() for record in judge(message, "192.0.2.9", NOW))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    for record in read_all(syslog, source_of(b"<1>Mar  1 08:02:03 h a: " + data)):
        assert isinstance(record, Bad) or record.to_json()


@pytest.mark.data
def test_real_logs_have_times_and_programs(test_data: Path) -> None:
    events = events_of(syslog, source_of_file(test_data / "syslog/loghub/OpenSSH/OpenSSH_2k.log"))
    assert len(events) == 2000
    assert all(event.time and event.doc["process"]["name"] == "sshd" for event in events)
    assert sum(event.doc["event"].get("outcome") == "failure" for event in events) > 600


@pytest.mark.data
@pytest.mark.parametrize("name", ["Thunderbird", "Mac"])
def test_real_logs_of_other_systems(test_data: Path, name: str) -> None:
    source = source_of_file(test_data / f"syslog/loghub/{name}/{name}_2k.log")
    assert syslog.claims(source.head) == 70
    events = events_of(syslog, source)
    assert len(events) == 2000
    assert all(event.time for event in events)
