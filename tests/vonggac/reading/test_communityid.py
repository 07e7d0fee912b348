import pytest

from vonggac.reading.communityid import ICMP, TCP, UDP, community_id, icmp_ports


@pytest.mark.parametrize(
    ("protocol", "source", "target", "ports", "wanted"),
    [  # as Wireshark 4.0 gives them
        (UDP, "192.0.2.7", "192.0.2.53", (5000, 53), "1:lPmKoTu3ZPRfiL3jDW8SWfXQ3aE="),
        (TCP, "192.0.2.7", "198.51.100.20", (1, 2), "1:4JJwFVC1z2i6Ys/HYZ4ihU+lKV8="),
        (TCP, "198.51.100.20", "192.0.2.7", (2, 1), "1:4JJwFVC1z2i6Ys/HYZ4ihU+lKV8="),
        (UDP, "2001:db8::2", "2001:db8::1", (9, 10), "1:JdiHByG84thtFhT3bEDMOvihSS4="),
        (50, "192.0.2.7", "198.51.100.20", None, "1:sVAcS8z/TKlNgy3QL8vkZMRb4Lo="),
    ],
)
def test_ids(protocol: int, source: str, target: str, ports: tuple[int, int] | None, wanted: str) -> None:
    assert community_id(protocol, source, target, ports) == wanted


def test_icmp_echo_and_its_answer_are_one_conversation() -> None:
    ids = set()
    for kind, ends in ((8, ("192.0.2.7", "198.51.100.20")), (0, ("198.51.100.20", "192.0.2.7"))):
        one, two, two_ways = icmp_ports(ICMP, kind, 0)
        ids.add(community_id(ICMP, *ends, (one, two), two_ways=two_ways))
    assert ids == {"1:F6I6FTKqqWhrnsaaaj8+vEK6FsE="}


def test_icmp_unreachable_has_one_way() -> None:
    assert icmp_ports(ICMP, 3, 3) == (3, 3, False)
    known = community_id(ICMP, "198.51.100.20", "192.0.2.7", (3, 3), two_ways=False)
    assert known == "1:auCyLfHugPH9TsSQ87Itt7E9EkY="
