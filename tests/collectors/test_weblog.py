from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import weblog
from vonggac.event import Bad, Event
from vonggac.ports import Head
from vonggac.testing import collector_contract, events_of, read_all, source_of, source_of_file

COMBINED = (
    b'192.0.2.7 - - [01/Mar/2026:08:02:03 +0700] "GET /a?id=1 HTTP/1.1" 200 512 "https://example.org/" "curl/8.5"\n'
    b'192.0.2.7 - an [01/Mar/2026:08:02:04 +0700] "POST /login HTTP/2.0" 302 - "-" "-" "198.51.100.3"\n'
    b'www.example.org:443 192.0.2.8 - - [01/Mar/2026:08:02:05 +0700] "GET / HTTP/1.1" 200 1 "-" "x"\n'
    rb'192.0.2.9 - - [01/Mar/2026:08:02:06 +0700] "\x16\x03\x01\x02" 400 226 "-" "-"' + b"\n"
)
W3C = b"""#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2026-03-01 01:00:00
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status
2026-03-01 01:02:03 10.0.0.1 GET /app.aspx id=1 443 - 192.0.2.7 Mozilla/5.0+(X11) 200
#Date: 2026-03-01 02:00:00
#Fields: date time c-ip cs-method cs-uri-stem sc-status time-taken
2026-03-01 02:02:03 192.0.2.8 POST /shell.aspx 500 15
2026-03-01 02:02:04 192.0.2.8 POST /shell.aspx 200 16
"""


def doc_of(line: str) -> dict[str, Any]:
    (event,) = events_of(weblog, source_of(line.encode()))
    return event.doc


def test_contract() -> None:
    collector_contract(weblog, source_of(COMBINED * 60), namespaces=("weblog",))


def test_contract_of_w3c() -> None:
    rows = b"".join(b"2026-03-01 02:%02d:%02d 192.0.2.8 GET / 200 1\n" % (n // 60, n % 60) for n in range(250))
    collector_contract(weblog, source_of(W3C + rows), namespaces=("iis",))


def test_combined() -> None:
    doc = events_of(weblog, source_of(COMBINED))[0].doc
    assert doc["@timestamp"] == "2026-03-01T01:02:03.000000Z"
    assert doc["source"] == {"ip": "192.0.2.7"}
    assert doc["http"] == {
        "request": {"method": "GET", "referrer": "https://example.org/"},
        "response": {"status_code": 200, "bytes": 512},
        "version": "1.1",
    }
    assert doc["url"] == {"original": "/a?id=1", "path": "/a", "query": "id=1"}
    assert doc["user_agent"] == {"original": "curl/8.5"}
    assert doc["event"]["category"] == ["web"]
    assert doc["event"]["dataset"] == "web.access"


def test_users_and_trailing_fields() -> None:
    doc = events_of(weblog, source_of(COMBINED))[1].doc
    assert doc["user"] == {"name": "an"}
    assert doc["weblog"] == {"extra": '"198.51.100.3"'}
    assert "bytes" not in doc["http"]["response"]
    assert "user_agent" not in doc


@pytest.mark.parametrize(
    ("start", "domain", "user"),
    [
        ("www.example.org:443 192.0.2.8 - -", "www.example.org", None),
        ("www.example.org 192.0.2.8 - an", "www.example.org", "an"),
        ("192.0.2.8 - nguyen van an", None, "nguyen van an"),
        ("192.0.2.8 -  - ", None, None),
    ],
)
def test_what_stands_before_the_time(start: str, domain: str | None, user: str | None) -> None:
    doc = doc_of(f'{start} [01/Mar/2026:08:02:05 +0700] "GET / HTTP/1.1" 200 1 "-" "x"')
    assert doc["source"] == {"ip": "192.0.2.8"}
    assert doc["url"].get("domain") == domain
    assert doc.get("user", {}).get("name") == user


def test_a_host_name_as_client_is_kept_apart() -> None:
    doc = doc_of('pc7.example.org - - [01/Mar/2026:08:02:05 +0700] "GET / HTTP/1.1" 200 1')
    assert "source" not in doc
    assert doc["weblog"] == {"client": "pc7.example.org"}


@pytest.mark.parametrize(
    ("request_", "method", "original"),
    [
        (r"\x16\x03\x01\xfe", None, "\x16\x03\x01\\xfe"),
        (r"GET /?q=\"1\" HTTP/1.1", "GET", '/?q="1"'),
        (r"GET /\xE1\xBB\x8D HTTP/1.1", "GET", "/ọ"),
        ("GET /two words HTTP/1.1", "GET", "/two words"),
        ("GET /old", "GET", "/old"),
        ("t3 12.1.2", "t", "12.1.2"),
        ("-", None, None),
        ("", None, None),
    ],
)
def test_requests_however_malformed(request_: str, method: str | None, original: str | None) -> None:
    request_ = request_.replace("t3", "t")
    doc = doc_of(f'192.0.2.9 - - [01/Mar/2026:08:02:06 +0700] "{request_}" 400 226 "-" "-"')
    assert doc["http"].get("request", {}).get("method") == method
    assert doc.get("url", {}).get("original") == original


def test_a_proxy_request_has_a_domain() -> None:
    doc = doc_of('192.0.2.9 - - [01/Mar/2026:08:02:06 +0700] "GET http://example.net:8080/x?y=1 HTTP/1.1" 200 2')
    assert doc["url"] == {
        "original": "http://example.net:8080/x?y=1",
        "domain": "example.net",
        "path": "/x",
        "query": "y=1",
    }


def test_w3c_columns_may_change_in_the_middle() -> None:
    first, second, _ = events_of(weblog, source_of(W3C))
    assert first.doc["@timestamp"] == "2026-03-01T01:02:03.000000Z"
    assert first.doc["iis"]["cs(User-Agent)"] == "Mozilla/5.0+(X11)"
    assert "cs-username" not in first.doc["iis"]
    assert first.doc["user_agent"] == {"original": "Mozilla/5.0 (X11)"}
    assert first.doc["url"] == {"path": "/app.aspx", "query": "id=1", "original": "/app.aspx?id=1"}
    assert first.doc["destination"] == {"ip": "10.0.0.1", "port": 443}
    assert second.doc["iis"]["time-taken"] == "15"
    assert second.doc["http"] == {"request": {"method": "POST"}, "response": {"status_code": 500}}


def test_w3c_with_a_column_too_few_is_kept_and_named() -> None:
    records = read_all(weblog, source_of(W3C + b"2026-03-01 02:02:05 192.0.2.8 GET\n"))
    assert isinstance(records[-1], Bad)
    assert records[-1].reason == "4 columns, #Fields names 7"
    assert isinstance(records[-2], Event)
    assert records[-2].doc["source"] == {"ip": "192.0.2.8"}


def test_other_lines_are_kept() -> None:
    event, bad = read_all(weblog, source_of(b"not a line of an access log\n"))
    assert isinstance(event, Event)
    assert event.doc["message"] == "not a line of an access log"
    assert str(bad) == "sample.log: offset 0: no line of an access log, and without a time; kept as text"


def test_claims() -> None:
    assert weblog.claims(Head("access.log", COMBINED)) == 85
    assert weblog.claims(Head("u_ex260301.log", W3C)) == 95
    assert weblog.claims(Head("conn.log", b"#separator \\x09\n#fields\tts\tuid\n1\t2\n")) == 0
    assert weblog.claims(Head("pfirewall.log", b"#Version: 1.5\n#Fields: date time action src-ip\n")) == 0
    assert weblog.claims(Head("x.log", COMBINED.replace(b"GET", b"\0" * 9))) == 0


@given(st.text(max_size=200))
def test_arbitrary_text_never_raises(text: str) -> None:
    line = f'192.0.2.9 - - [01/Mar/2026:08:02:06 +0700] "{text}" 200 1 "{text}" "{text}"\n#Fields: c-ip {text}\n{text}'
    for record in read_all(weblog, source_of(line.encode("utf-8", "surrogatepass"))):
        assert isinstance(record, Bad) or record.to_json()


@pytest.mark.data
def test_real_access_logs_are_claimed_and_read(test_data: Path) -> None:
    folder = test_data / "parsers/crowdsec"
    source = source_of_file(folder / "http-dos-bypass-cache/http_dos_bypass_cache.log")
    assert weblog.claims(source.head) == 85
    events = events_of(weblog, source)
    assert len(events) == 356
    assert all(event.time and event.doc["source"]["ip"] and event.doc["url"]["path"] for event in events)
    malformed = source_of_file(folder / "apache2-malformed/apache2-logs.log")
    assert len(events_of(weblog, malformed)) == 11
