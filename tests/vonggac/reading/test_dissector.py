"""A tshark that runs on: rows come at once, and it is started again when it dies."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import pcap_writer as write
from vonggac.event import Bad
from vonggac.reading.afpacket import ETHERNET, Frame
from vonggac.reading.dissector import Dissector
from vonggac.reading.packets import Packet

DEADLINE_S = 60


def frame(number: int) -> Frame:
    data = write.udp("192.0.2.7", 5000, "192.0.2.53", 53, write.dns(number, f"h{number}.example.com"))
    return Frame(1_772_352_000, 123_456_789, len(data), data)


def until(dissector: Dissector, met: Callable[[list[Packet | Bad]], bool]) -> list[Packet | Bad]:
    found: list[Packet | Bad] = []
    end = time.monotonic() + DEADLINE_S
    while not met(found):
        assert time.monotonic() < end
        found += dissector.turn(0.1)[0]
    return found


def children() -> set[int]:
    return {int(one) for path in Path("/proc/self/task").glob("*/children") for one in path.read_text().split()}


def started() -> int:
    """Give the process that was started last, once it is tshark."""
    end = time.monotonic() + DEADLINE_S
    while True:
        assert time.monotonic() < end
        for process in children():
            if Path(f"/proc/{process}/comm").read_text() == "tshark\n":
                return process
        time.sleep(0.01)


@pytest.fixture
def dissector() -> Iterator[Dissector]:
    made = Dissector("eth0", ETHERNET, hangs_s=1)
    yield made
    made.close()
    made.close()


def test_each_frame_has_its_row_without_waiting_for_the_next(dissector: Dissector) -> None:
    for number in (1, 2):
        dissector.give([frame(number)])
        (packet,) = until(dissector, bool)
        assert isinstance(packet, Packet)
        assert (packet.number, packet.time) == (number, 1_772_352_000_123_456_789)
        assert packet.all("dns.qry.name") == [f"h{number}.example.com"]
        assert dissector.idle


def test_when_it_dies_the_packet_that_had_its_turn_is_left_out_and_the_rest_is_given_again(
    dissector: Dissector,
) -> None:
    dissector.give([frame(1)])
    until(dissector, bool)
    process = started()
    os.kill(process, signal.SIGSTOP)
    dissector.give(map(frame, (2, 3, 4)))
    os.kill(process, signal.SIGKILL)
    bad, *packets = until(dissector, lambda found: len(found) == 3)
    assert isinstance(bad, Bad)
    assert str(bad) == "eth0: packet 2: tshark ended (SIGKILL); this packet is left out"
    assert bad.sample == frame(2).data
    assert [packet.number for packet in packets if isinstance(packet, Packet)] == [3, 4]
    assert (dissector.lost, dissector.restarts) == (1, 1)


def test_one_that_hangs_is_ended(dissector: Dissector) -> None:
    process = started()
    os.kill(process, signal.SIGSTOP)
    dissector.give(map(frame, (1, 2)))
    bad, packet = until(dissector, lambda found: len(found) == 2)
    assert str(bad) == "eth0: packet 1: tshark gave nothing for 1 s; this packet is left out"
    assert isinstance(packet, Packet)
    assert packet.all("dns.qry.name") == ["h2.example.com"]
    assert process not in children()


def test_what_is_given_up_is_counted(dissector: Dissector) -> None:
    os.kill(started(), signal.SIGSTOP)
    dissector.give(map(frame, range(5)))
    assert not dissector.idle
    dissector.give_up()
    assert dissector.lost == 5
    assert dissector.idle


def test_another_descriptor_is_watched_beside(dissector: Dissector) -> None:
    one, two = os.pipe()
    try:
        assert dissector.turn(0, one) == ([], False)
        os.write(two, b"x")
        assert dissector.turn(0, one) == ([], True)
    finally:
        os.close(one)
        os.close(two)


def test_one_that_grew_heavy_is_replaced_and_no_packet_is_lost() -> None:
    with contextlib.closing(Dissector("eth0", ETHERNET, heavy=1)) as dissector:
        dissector.give(map(frame, (1, 2)))
        first = started()
        rows = until(dissector, lambda found: len(found) == 2)
        until(dissector, lambda _: first not in children())
        dissector.give([frame(3)])
        rows += until(dissector, bool)
        assert [row.number for row in rows if isinstance(row, Packet)] == [1, 2, 3]
        assert (dissector.lost, dissector.restarts) == (0, 0)
