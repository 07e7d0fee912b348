"""What could not be read is kept as an event of its own."""

from datetime import UTC, datetime

import orjson

from vonggac.dead import dead_record
from vonggac.event import Bad, Event

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def test_it_says_what_where_and_why() -> None:
    line = dead_record(Bad("udp 127.0.0.1:5514", "message 3", "no syslog", b"\x16\x03"), task="collect", at=AT)
    doc = orjson.loads(line)
    assert doc["event"]["kind"] == "pipeline_error"
    assert doc["message"] == "udp 127.0.0.1:5514: message 3: no syslog"
    assert doc["error"]["message"] == "no syslog"
    assert doc["event"]["original"] == "\x16\x03"


def test_bytes_that_are_no_text_are_kept_whole() -> None:
    doc = orjson.loads(dead_record(Bad("a.log", "offset 0", "not UTF-8", b"\xff\xfe"), task="collect", at=AT))
    assert doc["vonggac"]["sample_base64"] == "//4="


def test_the_same_failure_is_the_same_record() -> None:
    """A restart reads it again: the store would otherwise count it twice."""
    bad = Bad("a.log", "offset 0", "not UTF-8", b"\xff")
    later = datetime(2026, 3, 2, tzinfo=UTC)
    first, again = (Event.from_json(dead_record(bad, task="collect", at=at)) for at in (AT, later))
    assert first.id == again.id
