"""Live capture: what is sent into an interface of a network namespace comes out as events."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors import pcap
from tests import pcap_writer as write
from vonggac.intake.inlet import Inlet
from vonggac.intake.packets import Packets
from vonggac.intake.tally import Tally
from vonggac.people.units import Units
from vonggac.testing import events_of, source_of

ROOM = Path(__file__).parents[2] / "capture_room.py"


def room(scene: str, *arguments: str | Path, unshare: str = "-rn") -> Any:
    """Run a scene in a network namespace of its own."""
    command = ["unshare", unshare, "--kill-child", sys.executable, "-P", str(ROOM), scene, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def traffic() -> list[write.Packet]:
    start, v6 = write.START, ("2001:db8::7", "2001:db8::20")
    hello = write.client_hello("www.example.org", padding=2000)
    get = b"GET /a?b=1 HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.5\r\n\r\n"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nhi"
    lookup = (write.CLIENT, 5000, write.RESOLVER, 53), (write.RESOLVER, 53, write.CLIENT, 5000)
    tagged = write.udp(write.CLIENT, 6000, write.RESOLVER, 53, write.dns(9, "vlan.example.com"))
    inner = write.bare_ip("10.1.0.1", "10.1.0.2", 6, write.segment(1234, 22, 1, 0, write.SYN))
    echo = b"\x08\0\0\0\0\1\0\1"
    return [
        (start, write.udp(*lookup[0], write.dns(7, "www.example.com"))),
        (start + 0.1, write.udp(*lookup[1], write.dns(7, "www.example.com", answers=["198.51.100.20"]))),
        (start + 0.2, write.udp(*lookup[0], write.dns(8, "unanswered.example.com"))),
        (start + 0.3, tagged[:12] + b"\x81\x00\x00\x0a" + tagged[12:]),
        *write.stream([(True, get), (False, answer)], start=start + 1),
        *write.stream(
            [(True, hello[:1400]), (True, hello[1400:]), (False, write.server_hello())],
            sport=49153,
            dport=443,
            start=start + 2,
        ),
        *write.stream([(True, get)], sport=49154, start=start + 3, close=False),
        (start + 4, write.udp(v6[0], 1, v6[1], 514, b"<13>hello")),
        (start + 5, write.ip("192.0.2.1", "192.0.2.2", 47, b"\0\0\x08\0" + inner)),
        (start + 6, write.ip("192.0.2.1", "192.0.2.2", 1, echo)),
        (start + 7, write.ethernet(bytes(28), 0x0806)),
        (start + 8, write.tcp("192.0.2.1", 1, "192.0.2.2", 80, 1, 1, write.PSH | write.ACK, get)[:50]),
    ]


def bare(events: Iterable[dict[str, Any]]) -> list[str]:
    """Leave out what must differ: ids, times, where it was read; and that a conversation was cut by the stop."""
    rows = []
    for event in events:
        doc = json.loads(json.dumps(event))
        for name in ("@timestamp", "log", "observer", "vonggac", "ecs"):
            doc.pop(name, None)
        for name in ("id", "duration"):
            doc["event"].pop(name, None)
        for name in ("end", "cut", "dropped"):
            doc["pcap"].pop(name, None)
        rows.append(json.dumps(doc, sort_keys=True))
    return sorted(rows)


def test_the_events_are_those_of_a_file_with_the_same_packets(tmp_path: Path) -> None:
    file = tmp_path / "x.pcap"
    file.write_bytes(write.pcap(traffic()))
    live = room("replay", file)
    assert bare(live["events"]) == bare(event.doc for event in events_of(pcap, source_of(file.read_bytes())))
    assert live["dead"] == []
    assert live["ended"] == "returned"
    assert live["figures"]["packets_total"] == len(traffic())
    assert live["figures"]["bytes_total"] == sum(len(data) for _, data in traffic())
    ids = {event["event"]["id"] for event in live["events"]}
    assert len(ids) == len(live["events"])
    event = next(one for one in live["events"] if one["event"]["dataset"] == "network.dns")
    assert event["vonggac"] == {"collector": "pcap", "unit": "so-yte"}
    assert event["observer"] == {"ingress": {"interface": {"name": "v1"}}}
    assert event["@timestamp"][:4] != "2026" or event["@timestamp"] != "2026-03-01T08:00:00.000000Z", (
        "the kernel's time"
    )


def test_on_the_loopback_each_packet_is_taken_once() -> None:
    scene = room("loopback")
    (dns,), (flow,) = scene["dns"], scene["flow"]
    assert dns["dns"] == {"question": {"name": "www.example.com", "type": "A"}, "response_code": "NOERROR"}
    assert (flow["pcap"]["source_packets"], flow["pcap"]["destination_packets"]) == (1, 1)
    assert flow["pcap"]["cut"] == "stop"
    assert scene["dns_first"], "an answered question does not wait for the end of its conversation"


def test_what_the_kernel_drops_is_counted_and_told() -> None:
    scene = room("flood")
    figures = scene["figures"]
    assert figures["dropped_kernel_total"] > 0
    assert figures["packets_total"] + figures["dropped_kernel_total"] == 3000
    (flow,), (summary,) = scene["flow"], scene["summary"]
    assert flow["pcap"]["packets"] == figures["packets_total"]
    assert summary["pcap"]["dropped"] == figures["dropped_kernel_total"] + figures["dropped_total"]


def test_an_interface_goes_down_and_comes_back_and_goes_away() -> None:
    scene = room("downfall")
    assert [line["message"] for line in scene["dead"]] == [
        "v1: the interface is down: nothing is captured until it is up"
    ]
    assert [event["dns"]["question"]["name"] for event in scene["dns"]] == ["back.example.com"]
    assert scene["ended"] == "capture of v1: the interface is gone"


def test_malformed_packets_harm_nothing() -> None:
    scene = room("garbage")
    assert scene["counted"] == scene["sent"]
    assert scene["names"] == ["after.example.com"]
    assert scene["dead"] == 0


def test_what_cannot_be_opened_is_said_in_one_line() -> None:
    assert room("refused") == [
        "FilterError: capture of lo: filter 'tcp prot 80': can't parse filter expression: syntax error",
        "FilterError: capture of lo: filter 'host ': can't parse filter expression: syntax error",
        "OSError: capture of nix0: no interface with this name",
        "FilterError: capture of lo: filter 'tcp\\x00': not a text that a filter can be",
    ]


def test_without_the_right_both_ways_to_it_are_named() -> None:
    line = room("powerless", unshare="-U")
    assert line.startswith("capture of lo: no right to read packets")
    assert "AmbientCapabilities=CAP_NET_RAW" in line
    assert "setcap cap_net_raw" in line


def test_a_run_opens_by_itself_and_names_what_it_cannot() -> None:
    intake = Packets("nix0")
    inlet = Inlet(Units([]), Tally(), lambda: datetime.now(UTC))
    with pytest.raises(OSError, match=r"^capture of nix0: "):
        intake.run(inlet, {}, threading.Event())
    assert intake.figures()["up"] == 0
    intake.close()
