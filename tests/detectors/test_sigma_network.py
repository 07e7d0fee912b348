"""Sigma's names on what the network and cloud collectors read: log text in, alerts out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from collectors import cloudtrail, suricata, zeek
from detectors.sigma import build
from vonggac.event import Alert, Event
from vonggac.ports import CollectorModule, DetectorConfig, RuleSource
from vonggac.testing import events_of, source_of

CONNECTION = {"id.orig_h": "192.0.2.7", "id.orig_p": 49812, "id.resp_h": "198.51.100.9", "id.resp_p": 443}
ZEEK = {"ts": 1772330584.5, "uid": "CHhAvVGS1DHFjwGM9", **CONNECTION}
EVE = {
    "timestamp": "2026-03-01T09:03:04.500000+0700",
    "flow_id": 1374195536821504,
    "src_ip": "192.0.2.7",
    "src_port": 49812,
    "dest_ip": "198.51.100.9",
    "dest_port": 443,
    "proto": "TCP",
}
TRAIL = {
    "eventVersion": "1.08",
    "eventTime": "2026-03-01T02:03:04Z",
    "eventSource": "cloudtrail.amazonaws.com",
    "eventName": "StopLogging",
    "awsRegion": "ap-southeast-1",
    "sourceIPAddress": "192.0.2.7",
    "userAgent": "aws-cli/2.15.0",
    "userIdentity": {"type": "IAMUser", "userName": "minh", "arn": "arn:aws:iam::123456789012:user/minh"},
    "requestParameters": {"name": "trail-1", "attribute": "userData"},
    "responseElements": None,
    "eventID": "0d9a1a5e-0f5c-4c0e-9d1f-3d3a3f1c0a01",
}


def read(collector: CollectorModule, file: str, /, **fields: Any) -> list[Event]:
    shape: dict[str, Any] = ZEEK if collector is zeek else EVE if collector is suricata else TRAIL
    return events_of(collector, source_of(json.dumps({**shape, **fields}).encode(), file))


def alerts(folder: Path, source: str, selection: dict[str, Any], events: list[Event]) -> list[Alert]:
    rule = {
        "title": "A small rule",
        "id": "5f0d7a39-5a3e-4b8e-9f5d-2f4b7f6a7c11",
        "status": "experimental",
        "level": "medium",
        "logsource": dict(pair.split("=") for pair in source.split(",")),
        "detection": {"selection": selection, "condition": "selection"},
    }
    (folder / "rule.yml").write_text(yaml.safe_dump(rule))
    built = build(DetectorConfig(packs=[RuleSource("mine", folder)]))
    assert not built.refused
    assert built.events is not None
    return [one for one in built.events.judge(events) if isinstance(one, Alert)]


@pytest.mark.parametrize(
    ("source", "selection", "name", "hit", "miss"),
    [
        (
            "product=zeek,service=dns",
            {"query|endswith": ".onion.example", "qtype_name": "A", "rejected": False, "Z": 0},
            "dns.log",
            {"query": "a.onion.example", "qtype_name": "A", "rejected": False, "Z": 0},
            {"query": "a.onion.example", "qtype_name": "A", "rejected": True, "Z": 0},
        ),
        (
            "category=dns",
            {"query|endswith": ".bad.example", "record_type": "TXT", "answer|contains": "cmd="},
            "dns.log",
            {"query": "x.bad.example", "qtype_name": "TXT", "answers": ["ok", "cmd=1"]},
            {"query": "x.bad.example", "qtype_name": "TXT", "answers": ["ok"]},
        ),
        (
            "product=zeek,service=http",
            {"uri|contains": "/bin.sh", "resp_mime_types|contains": "x-sh", "status_code": 200},
            "http.log",
            {"uri": "/bin.sh", "resp_mime_types": ["text/x-sh"], "status_code": 200},
            {"uri": "/bin.sh", "resp_mime_types": ["text/html"], "status_code": 200},
        ),
        (
            "category=proxy",
            {"c-useragent|startswith": "EvilAgent", "c-uri|contains": "?q=", "cs-host": "www.example.com"},
            "http.log",
            {"uri": "/p?q=1", "host": "www.example.com", "user_agent": "EvilAgent/1.0"},
            {"uri": "/p?q=1", "host": "www.example.com", "user_agent": "Mozilla/5.0"},
        ),
        (
            "category=webserver",
            {"cs-method": "POST", "cs-uri-stem": "/up.php", "cs-uri-query": "q=1", "sc-status": 200},
            "http.log",
            {"method": "POST", "uri": "/up.php?q=1", "status_code": 200},
            {"method": "POST", "uri": "/up.php?q=2", "status_code": 200},
        ),
        (
            "product=zeek,service=conn",
            {"id.resp_p": 443, "id.orig_h|cidr": "192.0.2.0/24", "conn_state": "S0"},
            "conn.log",
            {"proto": "tcp", "conn_state": "S0"},
            {"proto": "tcp", "conn_state": "SF"},
        ),
        (
            "category=network",
            {"dst_ip": "198.51.100.9", "dst_port": 443, "src_ip|startswith": "192.0.2."},
            "conn.log",
            {"proto": "tcp"},
            {"proto": "tcp", "id.resp_p": 80},
        ),
        (
            "product=zeek,service=dce_rpc",
            {"endpoint": "drsuapi", "operation|startswith": "DRSGetNC"},
            "dce_rpc.log",
            {"endpoint": "drsuapi", "operation": "DRSGetNCChanges"},
            {"endpoint": "drsuapi", "operation": "DRSBind"},
        ),
        (
            "product=zeek,service=kerberos",
            {"request_type": "TGS", "cipher": "rc4-hmac"},
            "kerberos.log",
            {"request_type": "TGS", "cipher": "rc4-hmac", "client": "minh/EXAMPLE.COM"},
            {"request_type": "TGS", "cipher": "aes256-cts-hmac-sha1-96"},
        ),
        (
            "product=zeek,service=smb_files",
            {"path|endswith": "\\IPC$", "name": "svcctl"},
            "smb_files.log",
            {"path": "\\\\fs01.example.com\\IPC$", "name": "svcctl", "action": "SMB::FILE_OPEN"},
            {"path": "\\\\fs01.example.com\\C$", "name": "svcctl", "action": "SMB::FILE_OPEN"},
        ),
        (
            "product=zeek,service=x509",
            {"certificate.serial": "08BB00EE"},
            "x509.log",
            {"id": "FKMTO94tQEsBTFbPgc", "certificate.serial": "08BB00EE"},
            {"id": "FKMTO94tQEsBTFbPgc", "certificate.serial": "08BB00EF"},
        ),
        (
            "product=zeek,service=rdp",
            {"id.orig_h|cidr": "192.0.2.0/24"},
            "rdp.log",
            {"cookie": "minh", "result": "Success"},
            {"cookie": "minh", "id.orig_h": "203.0.113.4"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_zeek(
    tmp_path: Path, source: str, selection: dict[str, Any], name: str, hit: dict[str, Any], miss: dict[str, Any]
) -> None:
    assert len(alerts(tmp_path, source, selection, read(zeek, name, **hit))) == 1
    assert alerts(tmp_path, source, selection, read(zeek, name, **miss)) == []


def test_the_three_spellings_of_zeeks_names_and_its_tsv_match_alike(tmp_path: Path) -> None:
    selection = {"id.orig_h": "192.0.2.7", "id.resp_p": 443, "certificate.serial": "08BB00EE"}
    bare = {"ts": 1772330584.5, "uid": "CHhAvVGS1DHFjwGM9"}
    short = {name.removeprefix("id."): value for name, value in CONNECTION.items()}
    written = [
        {**bare, **CONNECTION, "certificate.serial": "08BB00EE"},
        {**bare, **{f"id_{name}": value for name, value in short.items()}, "certificate_serial": "08BB00EE"},
        {**bare, "id": short, "certificate": {"serial": "08BB00EE"}},
    ]
    lines = "\n".join(json.dumps({"_path": "x509", **one}) for one in written)
    tsv = (
        "#separator \\x09\n#path\tx509\n#fields\tts\tid.orig_h\tid.resp_p\tcertificate.serial\n"
        "#types\ttime\taddr\tport\tstring\n1772330584.500000\t192.0.2.7\t443\t08BB00EE\n"
    )
    events = events_of(zeek, source_of(lines.encode(), "x.json")) + events_of(zeek, source_of(tsv.encode(), "x.log"))
    assert len(alerts(tmp_path, "product=zeek,service=x509", selection, events)) == 4


@pytest.mark.parametrize(
    ("source", "selection", "fields"),
    [
        (
            "category=dns",
            {"query|endswith": ".bad.example", "record_type": "TXT"},
            {"event_type": "dns", "dns": {"type": "query", "rrname": "x.bad.example", "rrtype": "TXT"}},
        ),
        (
            "category=dns",
            {"query|endswith": ".bad.example", "record_type": "TXT"},
            {"event_type": "dns", "dns": {"version": 3, "queries": [{"rrname": "x.bad.example", "rrtype": "TXT"}]}},
        ),
        (
            "category=dns",
            {"answer": "203.0.113.80"},
            {
                "event_type": "dns",
                "dns": {"rrname": "x.example", "answers": [{"rrtype": "A", "rdata": "203.0.113.80"}]},
            },
        ),
        (
            "category=proxy",
            {"c-uri|contains": "/gate.php", "cs-method": "POST", "cs-host": "c2.example", "c-useragent": "Evil"},
            {
                "event_type": "http",
                "http": {
                    "hostname": "c2.example",
                    "url": "/gate.php?id=1",
                    "http_method": "POST",
                    "http_user_agent": "Evil",
                },
            },
        ),
        (
            "product=suricata,service=alert",
            {"alert.signature|contains": "TROJAN", "alert.severity": 1, "dest_port": 443},
            {
                "event_type": "alert",
                "alert": {"signature_id": 2400001, "signature": "ET TROJAN Beacon", "severity": 1, "action": "allowed"},
            },
        ),
        (
            "category=network",
            {"dst_ip": "198.51.100.9", "dst_port": 443, "src_ip": "192.0.2.7"},
            {"event_type": "flow", "flow": {"bytes_toserver": 10}},
        ),
    ],
)
def test_suricata(tmp_path: Path, source: str, selection: dict[str, Any], fields: dict[str, Any]) -> None:
    (event,) = read(suricata, "eve.json", **fields)
    (alert,) = alerts(tmp_path, source, selection, [event])
    assert not alert.unrouted
    assert set(alert.matched) == {name.partition("|")[0] for name in selection}


@pytest.mark.parametrize(
    "selection",
    [
        {"eventSource": "cloudtrail.amazonaws.com", "eventName": ["StopLogging", "DeleteTrail"]},
        {"userIdentity.type": "IAMUser", "userIdentity.arn|endswith": ":user/minh"},
        {"requestParameters.attribute": "userData"},
        {"responseElements": None},
        {"sourceIPAddress|cidr": "192.0.2.0/24", "userAgent|startswith": "aws-cli/"},
        {"errorCode": None},
    ],
    ids=lambda selection: ",".join(selection),
)
def test_cloudtrail(tmp_path: Path, selection: dict[str, Any]) -> None:
    hit = read(cloudtrail, "trail.json")
    assert len(alerts(tmp_path, "product=aws,service=cloudtrail", selection, hit)) == 1
    assert alerts(tmp_path, "product=azure,service=activitylogs", selection, hit) == []


def test_a_cloudtrail_rule_that_misses(tmp_path: Path) -> None:
    selection = {"eventName": "StopLogging", "errorCode|exists": True}
    assert alerts(tmp_path, "product=aws,service=cloudtrail", selection, read(cloudtrail, "trail.json")) == []
