"""EVTX bombs: records that would become gigabytes of text are found before anything is made of them."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evtx_writer import WHEN, ChunkWriter, Element, Record, Slot, chunk, nested
from vonggac.reading.evtxbombs import TEXT_LIMIT, bombs
from vonggac.reading.evtxchunks import frame, sound


def found(data: bytes) -> set[int]:
    return bombs(data, [place.offset for place in frame(data).places if place.number is not None])


@pytest.mark.parametrize(("levels", "slots"), [(3, 50), (4, 50), (8, 30), (40, 2), (100, 2)])
def test_a_bomb_is_found(levels: int, slots: int) -> None:
    assert found(nested(levels, slots)) == {512}


@pytest.mark.parametrize(("levels", "slots"), [(0, 50), (1, 50), (3, 1), (3, 5)])
def test_a_template_in_a_template_is_none(levels: int, slots: int) -> None:
    assert found(nested(levels, slots)) == set()


def test_an_array_repeats_its_element() -> None:
    writer = ChunkWriter()
    start = writer.open(1, WHEN)
    writer.data += b"\x0f\x01\x01\x00"
    writer.template(Element("Event", {}, (Element("Data", {"a": "x" * 8000}, (Slot(0, 0x81),)),)))
    writer.data += struct.pack("<IHBB", 1, 20_000, 0x81, 0) + bytes(20_000) + b"\0"
    writer.close(start)
    assert found(writer.bytes([1])) == {512}


def test_many_large_records_of_a_chunk_are_one_bomb() -> None:
    """Each of them is below the limit; what goes beyond it together is refused, what stands before is not."""
    writer = ChunkWriter()
    wide = Element("Event", {}, tuple(Element("D", {}, (Slot(0),)) for _ in range(400)))
    for number in range(1, 7):
        writer.add(number, WHEN, wide, ["x" * 4000])
    data = writer.bytes(list(range(1, 7)))
    refused = found(data)
    assert 0 < len(refused) < 6
    assert 512 not in refused


def test_ordinary_records_are_none_by_template_and_without() -> None:
    records = [Record(number, data={"Text": "x" * 500, "More": "\r\n" * 50}) for number in range(1, 20)]
    assert found(chunk(records)) == set()
    assert found(chunk(records, template=True)) == set()


@given(st.binary(max_size=2000), st.integers(24, 400))
def test_arbitrary_bytes_raise_nothing(data: bytes, at: int) -> None:
    content = bytearray(nested(4, 10))
    content[512 + at : 512 + at + len(data)] = data
    assert bombs(bytes(content), [512]) <= {512}
    assert bombs(b"**\0\0" + struct.pack("<I", len(data)) + bytes(16) + data, [0]) <= {0}


@pytest.mark.data
def test_no_chunk_of_a_real_log_is_near_the_limit(test_data: Path) -> None:
    assert TEXT_LIMIT == 16 << 20
    for path in sorted((test_data / "evtx").rglob("*.evtx")):
        data = path.read_bytes()
        for start in range(4096, len(data), 65536):
            if records := sound(data[start : start + 65536]):
                assert not bombs(data[start : start + 65536], [offset for offset, _ in records]), path
