"""What Zeek's records say in ECS names."""

from typing import Any

import pytest

from vonggac.reading.zeekfields import LOGS, document, flat


@pytest.mark.parametrize(
    "record",
    [
        {"id.orig_h": "192.0.2.1", "id.resp_p": 53},
        {"id": {"orig_h": "192.0.2.1", "resp_p": 53}},
        {"id_orig_h": "192.0.2.1", "id_resp_p": 53},
    ],
    ids=["dotted", "nested", "underscores"],
)
def test_a_connection_however_it_is_written(record: dict[str, Any]) -> None:
    doc = document("dns", flat(record), None)
    assert doc["source"] == {"ip": "192.0.2.1"}
    assert doc["destination"] == {"port": 53}


def test_the_line_is_kept_where_there_is_one() -> None:
    assert document("x", {}, "a\tb")["event"]["original"] == "a\tb"
    assert "original" not in document("x", {}, None)["event"]


@pytest.mark.parametrize(("seconds", "nanoseconds"), [(1.25, 1_250_000_000), (-1.0, None), (1e300, None), ("1", None)])
def test_durations_are_nanoseconds(seconds: Any, nanoseconds: int | None) -> None:
    assert document("conn", {"duration": seconds}, None)["event"].get("duration") == nanoseconds


def test_logs_are_known_by_their_names() -> None:
    assert LOGS.fullmatch("known_hosts")
    assert not LOGS.fullmatch("access")


@pytest.mark.parametrize(
    ("path", "record", "ecs"),
    [
        (
            "dns",
            {"query": "example.com", "qtype_name": "A", "rcode_name": "NOERROR"},
            {"dns": {"question": {"name": "example.com", "type": "A"}, "response_code": "NOERROR"}},
        ),
        (
            "http",
            {
                "method": "GET",
                "host": "example.com",
                "uri": "/a?b=c",
                "referrer": "http://example.org/",
                "user_agent": "curl/8",
                "status_code": 200,
                "response_body_len": 9,
                "version": "1.1",
            },
            {
                "http": {
                    "request": {"method": "GET", "referrer": "http://example.org/"},
                    "response": {"status_code": 200, "bytes": 9},
                    "version": "1.1",
                },
                "url": {"original": "/a?b=c", "path": "/a", "query": "b=c", "domain": "example.com"},
                "user_agent": {"original": "curl/8"},
            },
        ),
        (
            "ssl",
            {"server_name": "example.com", "version": "TLSv13"},
            {"tls": {"server_name": "example.com", "version": "TLSv13"}},
        ),
        (
            "files",
            {
                "tx_hosts": ["192.0.2.1"],
                "rx_hosts": ["192.0.2.2"],
                "filename": "a.bin",
                "total_bytes": 5,
                "md5": "0" * 32,
            },
            {
                "source": {"ip": "192.0.2.1"},
                "destination": {"ip": "192.0.2.2"},
                "file": {"name": "a.bin", "size": 5, "hash": {"md5": "0" * 32}},
            },
        ),
        (
            "notice",
            {"note": "Scan::Port_Scan", "msg": "scanned", "src": "192.0.2.1", "p": 22},
            {"message": "scanned", "source": {"ip": "192.0.2.1"}, "destination": {"port": 22}},
        ),
        ("weird", {"name": "bad_checksum"}, {"message": "bad_checksum"}),
    ],
)
def test_what_other_logs_say_in_ecs(path: str, record: dict[str, Any], ecs: dict[str, Any]) -> None:
    doc = document(path, record, None)
    assert doc.pop("event")["dataset"] == f"zeek.{path}"
    assert doc == ecs
