import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vonggac.reading.packets import BETWEEN, FIELDS, Ends, packet


def row(**columns: str) -> str:
    """Give a row of tshark with these columns; `__` stands for a dot."""
    known = {"frame.time_epoch": "1772352000.500000001", "frame.len": "60"}
    known |= {name.replace("__", "."): value for name, value in columns.items()}
    return "\t".join(known.get(name, "") for name in FIELDS)


def test_a_tcp_packet() -> None:
    one = packet(
        7,
        row(
            frame__protocols="eth:ethertype:ip:tcp:http", ip__src="192.0.2.7", ip__dst="198.51.100.20", ip__proto="6",
            tcp__srcport="49152", tcp__dstport="80", tcp__flags="0x0018", http__host="a\fb",
        ),
    )  # fmt: skip
    assert one.number == 7
    assert one.time == 1_772_352_000_500_000_001
    assert one.size == 60
    assert one.ends == Ends(6, "192.0.2.7", 49152, "198.51.100.20", 80)
    assert one.flags == 0x18
    assert one.protocol == "http"
    assert one.all("http.host") == ["a", "b"]
    assert one.all("http.user_agent") == []


def test_the_innermost_conversation_of_a_tunnel_counts() -> None:
    one = packet(
        1,
        row(
            frame__protocols="eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp:nbss:smb2",
            ip__src=f"192.0.2.1{BETWEEN}10.0.0.1", ip__dst=f"192.0.2.2{BETWEEN}10.0.0.2", ip__proto=f"17{BETWEEN}6",
            udp__srcport="5", udp__dstport="4789", tcp__srcport="7", tcp__dstport="445", tcp__flags="0x0002",
        ),
    )  # fmt: skip
    assert one.ends == Ends(6, "10.0.0.1", 7, "10.0.0.2", 445)
    assert one.tunnels == ("vxlan",)
    assert one.protocol == "smb2", "what only carries another protocol is not what is spoken"


def test_what_an_icmp_error_quotes_does_not_count() -> None:
    one = packet(
        1,
        row(
            frame__protocols="eth:ethertype:ip:icmp:ip:udp:dns",
            ip__src=f"192.0.2.1{BETWEEN}192.0.2.7", ip__dst=f"192.0.2.7{BETWEEN}192.0.2.53", ip__proto=f"1{BETWEEN}17",
            icmp__type="3", icmp__code="3", udp__srcport="5000", udp__dstport="53",
        ),
    )  # fmt: skip
    assert one.ends == Ends(1, "192.0.2.1", 3, "192.0.2.7", 3)
    assert not one.two_ways
    assert one.protocol is None


def test_a_fragment_and_a_cut_packet_have_no_ports() -> None:
    fragment = packet(
        1, row(frame__protocols="eth:ethertype:ip:data", ip__src="192.0.2.1", ip__dst="192.0.2.2", ip__proto="17")
    )
    assert fragment.ends == Ends(17, "192.0.2.1", -1, "192.0.2.2", -1)
    cut = packet(
        1, row(frame__protocols="eth:ethertype:ip:tcp", ip__src="192.0.2.1", ip__dst="192.0.2.2", ip__proto="6")
    )
    assert cut.ends == Ends(6, "192.0.2.1", -1, "192.0.2.2", -1)


def test_no_ip_and_no_time() -> None:
    one = packet(1, row(frame__protocols="eth:ethertype:arp", frame__time_epoch=""))
    assert one.ends is None
    assert one.time is None


def test_a_row_of_other_width_is_none() -> None:
    with pytest.raises(ValueError, match="tshark gave 3 columns, not"):
        packet(1, "a\tb\tc")


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(st.characters(exclude_characters="\t\n"), max_size=12)))
def test_arbitrary_columns_give_a_packet_or_a_value_error(columns: dict[str, str]) -> None:
    with contextlib.suppress(ValueError):
        packet(1, row(**{name.replace(".", "__"): value for name, value in columns.items()}))
