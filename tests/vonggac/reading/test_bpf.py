import struct

import pytest

from vonggac.reading.bpf import FilterError, compiled


def test_a_filter_becomes_instructions_of_eight_bytes() -> None:
    code = compiled("udp port 53", 1, 65_600)
    assert len(code) % 8 == 0
    assert struct.unpack_from("HBBI", code) == (0x28, 0, 0, 12), "ldh [12]: the type of the Ethernet frame"


@pytest.mark.parametrize("text", ["", "  "])
def test_no_filter_takes_all_up_to_the_snap_length(text: str) -> None:
    assert compiled(text, 1, 1500) == struct.pack("HBBI", 6, 0, 0, 1500)


def test_offsets_follow_the_link_type() -> None:
    assert compiled("ip", 1, 100) != compiled("ip", 101, 100)


@pytest.mark.parametrize("text", ["tcp prot 80", "host", "port 70000", "vlan 1 and (", "tcp\0", "x" * 100_000])
def test_a_wrong_filter_is_named_with_the_reason(text: str) -> None:
    with pytest.raises(FilterError, match=r"^filter '.+': .+") as raised:
        compiled(text, 1, 65_600)
    assert "\n" not in str(raised.value)
