"""The frame of EVTX files: sound chunks are known as such, damaged ones are taken apart and mended."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from tests.evtx_writer import WHEN, Record, evtx, seal
from tests.evtx_writer import chunk as chunk_of
from tests.evtx_writer import file_header as header_of
from vonggac.reading.evtxchunks import (
    CHUNK,
    CHUNK_HEADER,
    Place,
    file_header,
    frame,
    mended,
    one_file,
    record_at,
    sound,
)

THREE = chunk_of([Record(number, data={"Text": "x" * 100}) for number in (8, 9, 10)])


def test_a_sound_chunk_gives_its_records() -> None:
    found = sound(THREE)
    assert found is not None
    assert [number for _, number in found] == [8, 9, 10]
    assert found[0][0] == CHUNK_HEADER
    assert sound(chunk_of([])) == []


def test_any_changed_bit_of_header_or_records_makes_it_unsound() -> None:
    for offset in (0, 8, 40, 48, 127, 300, 600, 1000):
        changed = bytearray(THREE)
        changed[offset] ^= 1
        assert sound(bytes(changed)) is None, offset


def test_wrong_counts_make_it_unsound_though_the_sums_are_right() -> None:
    counted = bytearray(THREE)
    struct.pack_into("<Q", counted, 32, 11)
    assert sound(seal(bytes(counted))) is None
    assert frame(seal(bytes(counted))).notes == ["chunk header counts records 8 to 11, 3 are there"]


def test_a_hole_is_found_by_the_records_around_it() -> None:
    first, second, third = sound(THREE) or []
    broken = bytearray(THREE)
    broken[second[0] : second[0] + 4] = b"oops"
    found = frame(bytes(broken))
    sizes = (second[0] - first[0], third[0] - second[0], len(record_at(THREE, third[0])))
    assert found.places == [
        Place(first[0], sizes[0], 8),
        Place(second[0], sizes[1], None),
        Place(third[0], sizes[2], 10),
    ]


def test_rubbish_in_the_last_bytes_of_a_chunk_is_a_hole_where_one_fits() -> None:
    for left in (1, 27, 28, 29, 40):
        size = CHUNK - CHUNK_HEADER - left
        record = struct.pack("<4sIQ", b"**\0\0", size, 7).ljust(size - 4, b"\1") + struct.pack("<I", size)
        full = bytes(CHUNK_HEADER) + record + b"\2" * left
        found = frame(full)
        assert found.places[0] == Place(CHUNK_HEADER, size, 7)
        assert found.places[1:] == ([Place(CHUNK - left, left, None)] if left >= 29 else [])
        assert len(mended(full, found)) == CHUNK


def test_a_mended_chunk_can_be_walked_again() -> None:
    broken = bytearray(THREE)
    broken[:CHUNK_HEADER] = bytes(CHUNK_HEADER)
    broken[(sound(THREE) or [])[1][0]] = 0
    found = frame(bytes(broken))
    again = frame(seal(mended(bytes(broken), found)))
    assert [place.offset for place in again.places] == [place.offset for place in found.places]


def test_a_short_chunk_is_read_to_its_end() -> None:
    cut = THREE[: (sound(THREE) or [])[1][0] + 40]
    found = frame(cut)
    assert found.notes[0] == f"file ends inside the chunk: {len(cut):,} of 65,536 bytes"
    assert [place.number for place in found.places] == [8, None]
    assert len(mended(cut, found)) == CHUNK


def test_without_a_header_old_records_behind_do_not_count() -> None:
    mixed = bytearray(chunk_of([Record(number, data={"Text": "x"}) for number in (8, 9, 3, 4)]))
    mixed[:CHUNK_HEADER] = bytes(CHUNK_HEADER)
    assert [place.number for place in frame(bytes(mixed)).places] == [8, 9]


def test_file_headers() -> None:
    assert file_header(header_of(3)).counted == 3
    assert file_header(header_of(3, dirty=True)).counted == 0
    assert file_header(b"ElfFile\0").notes == ["file ends inside its header: 8 of 4,096 bytes"]
    assert file_header(bytes(4096)).notes == ["file header: magic is missing"]
    wrong = bytearray(header_of(3))
    wrong[42] = 9
    assert file_header(bytes(wrong)).notes == ["file header: checksum is wrong"]


def test_one_file_is_what_the_writer_writes() -> None:
    assert one_file([THREE]) == evtx([Record(number, data={"Text": "x" * 100}, when=WHEN) for number in (8, 9, 10)])


@given(st.binary(max_size=3000), st.integers(0, 2000))
def test_arbitrary_bytes_are_framed_and_mended(data: bytes, at: int) -> None:
    content = THREE[:at] + data
    found = frame(content)
    offsets = [place.offset for place in found.places]
    assert offsets == sorted(offsets)
    assert all(place.offset + place.size <= CHUNK for place in found.places)
    assert len(mended(content, found)) == CHUNK
