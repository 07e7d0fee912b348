"""Scenes of live capture, each in a network namespace of its own: started by the tests as a process inside of it.

`python -P tests/capture_room.py SCENE` prints one JSON value. Nothing of it touches an interface of the machine.
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests import pcap_writer as write
from vonggac.intake.inlet import Inlet
from vonggac.intake.packets import Packets
from vonggac.intake.tally import Tally
from vonggac.people.units import Units
from vonggac.reading.afpacket import Frame, Ring

DEADLINE_S = 60
PROBE = write.ethernet(bytes(46), 0x88B5)  # a type for local experiments (IEEE 802)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def pair() -> None:
    """Make two interfaces with a wire between them; the kernel itself says nothing on them."""
    Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    ip("link", "add", "v0", "type", "veth", "peer", "name", "v1")
    ip("link", "set", "v0", "up")
    ip("link", "set", "v1", "up")
    carries()


def carries() -> None:
    """Wait until the wire carries: for a moment after `up` the kernel drops what is sent, and says nothing."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as other:
        other.bind(("v1", 3))
        other.settimeout(0.3)

        def arrived() -> bool:
            send([PROBE])
            with contextlib.suppress(OSError):  # no time, or it was down when the socket was bound
                return bool(other.recv(100))
            return False

        wait(arrived)


def send(frames: list[bytes], interface: str = "v0") -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((interface, 0))
        for frame in frames:
            sender.send(frame)


def wait(met: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not met():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.02)


@dataclass
class Capture:
    """A running intake and what came out of it."""

    intake: Packets
    inlet: Inlet
    stop: threading.Event = field(default_factory=threading.Event)
    events: list[dict[str, Any]] = field(default_factory=list)
    dead: list[dict[str, Any]] = field(default_factory=list)
    ended: str = ""

    def run(self) -> None:
        try:
            self.intake.run(self.inlet, {}, self.stop)
            self.ended = "returned"
        except OSError as error:
            self.ended = str(error)

    def take(self) -> None:
        taken = self.inlet.take(0.05, 1 << 20)
        self.inlet.committed(taken)
        for one in taken:
            for out in one.outs:
                (self.events if out.topic == "events" else self.dead).append(json.loads(out.record))

    def of(self, dataset: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"]["dataset"] == f"network.{dataset}"]

    def until(self, met: Callable[[], bool]) -> None:
        def taken() -> bool:
            self.take()
            return met()

        wait(taken)


@contextlib.contextmanager
def capturing(intake: Packets) -> Iterator[Capture]:
    """Run an intake while the body sends; after it all is ended and taken."""
    capture = Capture(intake, Inlet(Units([]), Tally(), lambda: datetime.now(UTC)))
    intake.open()
    thread = threading.Thread(target=capture.run)
    thread.start()
    try:
        yield capture
    finally:
        capture.stop.set()
        capture.until(lambda: not thread.is_alive())
        capture.take()
        thread.join()


def packets_of(intake: Packets) -> int:
    return int(intake.figures()["packets_total"])


# --------------------------------------------------------------------- scenes


def replay() -> dict[str, Any]:
    """Send the packets of a capture file, `argv[2]`, and give the events."""
    data = Path(sys.argv[2]).read_bytes()
    frames, at = list[bytes](), 24
    while at < len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        frames.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    pair()
    intake = Packets("v1", unit="so-yte")
    with capturing(intake) as capture:
        send(frames)
        capture.until(lambda: packets_of(intake) + intake.figures()["dropped_kernel_total"] >= len(frames))
    return {"events": capture.events, "dead": capture.dead, "figures": dict(intake.figures()), "ended": capture.ended}


def loopback() -> dict[str, Any]:
    """Ask a name on the loopback, where the kernel shows each packet twice."""
    ip("link", "set", "lo", "up")
    intake = Packets("lo", "udp")
    with (
        capturing(intake) as capture,
        socket.socket(type=socket.SOCK_DGRAM) as server,
        socket.socket(type=socket.SOCK_DGRAM) as client,
    ):
        server.bind(("127.0.0.1", 53))
        client.connect(("127.0.0.1", 53))
        client.send(write.dns(7, "www.example.com"))
        _, peer = server.recvfrom(512)
        server.sendto(write.dns(7, "www.example.com", answers=["192.0.2.9"]), peer)
        capture.until(lambda: bool(capture.of("dns")))
        told_at_once = len(capture.of("flow")) == 0
    return {"dns": capture.of("dns"), "flow": capture.of("flow"), "dns_first": told_at_once}


TAGGED = write.udp("192.0.2.7", 1, "192.0.2.8", 2, b"tagged")
TAGGED = TAGGED[:12] + b"\x81\x00\x00\x0a" + TAGGED[12:]
PLAIN = [write.udp("192.0.2.7", 1000, "192.0.2.8", port, b"x" * 100) for port in (514, 9999)]


def filtered() -> dict[str, Any]:
    """Send three packets, one of them in VLAN 10, to captures with different filters."""
    pair()
    found = {}
    for bpf in ("", "udp port 514", "vlan 10", "not port 514 and not vlan"):
        ring = Ring("v1", bpf)
        send([TAGGED, *PLAIN])
        frames: list[Frame] = []
        end = time.monotonic() + (0.3 if bpf else DEADLINE_S)
        while len(frames) < 3 and time.monotonic() < end:
            frames += ring.read()
            time.sleep(0.01)
        ring.close()
        found[bpf] = [frame.data.hex() for frame in frames]
    return found


def filtered_while_down() -> list[str]:
    """Open an interface with a filter before it is up."""
    pair()
    ip("link", "set", "lo", "up")
    ip("link", "set", "v1", "down")
    with contextlib.closing(Ring("v1", "vlan 10")) as ring:
        ip("link", "set", "v1", "up")
        wait(lambda: not ring.down)
        carries()
        send([*PLAIN, TAGGED])
        frames: list[Frame] = []
        while not frames:
            frames = ring.read()
            time.sleep(0.01)
    return [frame.data.hex() for frame in frames]


def refused() -> list[str]:
    """Open what cannot be opened."""
    ip("link", "set", "lo", "up")
    lines = []
    for interface, bpf in (("lo", "tcp prot 80"), ("lo", "host "), ("nix0", ""), ("lo", "tcp\0")):
        try:
            Packets(interface, bpf).open()
        except (ValueError, OSError) as error:
            lines.append(f"{type(error).__name__}: {error}")
    return lines


def powerless() -> str:
    """Open an interface without CAP_NET_RAW."""
    try:
        Packets("lo").open()
    except PermissionError as error:
        return str(error)
    return "opened"


def flood() -> dict[str, Any]:
    """Send more than a small ring holds before anybody reads."""
    pair()
    intake = Packets("v1", ring=1)
    intake.open()
    frame = write.udp("192.0.2.7", 1000, "192.0.2.8", 514, b"x" * 1400)
    send([frame] * 3000)
    capture = Capture(intake, Inlet(Units([]), Tally(), lambda: datetime.now(UTC)))
    thread = threading.Thread(target=capture.run)
    thread.start()
    capture.until(lambda: intake.figures()["dropped_kernel_total"] > 0 and intake.figures()["flows"] == 1)
    capture.stop.set()
    capture.until(lambda: not thread.is_alive())
    capture.take()
    return {"figures": dict(intake.figures()), "flow": capture.of("flow"), "summary": capture.of("capture")}


def downfall() -> dict[str, Any]:
    """Take the interface down, up, and away."""
    pair()
    intake = Packets("v1")
    with capturing(intake) as capture:
        wait(lambda: intake.figures()["up"] == 1)
        ip("link", "set", "v1", "down")
        capture.until(lambda: bool(capture.dead))
        wait(lambda: intake.figures()["up"] == 0)
        ip("link", "set", "v1", "up")
        wait(lambda: intake.figures()["up"] == 1)
        carries()
        send([write.udp("192.0.2.7", 5000, "192.0.2.53", 53, write.dns(7, "back.example.com"))])
        wait(lambda: intake.figures()["flows"] == 1)
        ip("link", "del", "v0")
        capture.until(lambda: capture.ended != "")
    return {"dead": capture.dead, "dns": capture.of("dns"), "ended": capture.ended}


def garbage() -> dict[str, Any]:
    """Send frames that are wrong in every length, and then a question."""
    pair()
    whole = write.tcp("192.0.2.7", 1, "192.0.2.8", 443, 1, 1, 24, write.client_hello("www.example.org"))
    frames = [whole[:size] for size in range(14, len(whole), 7)]
    frames += [bytes([number]) * 60 for number in range(256)]
    frames += [write.ip("192.0.2.7", "192.0.2.8", number, b"\xff" * 50) for number in range(256)]
    frames.append(write.udp("192.0.2.7", 5000, "192.0.2.53", 53, write.dns(7, "after.example.com")))
    intake = Packets("v1")
    with capturing(intake) as capture:
        send(frames)
        capture.until(lambda: packets_of(intake) == len(frames))
    names = [event["dns"]["question"]["name"] for event in capture.of("dns") if "question" in event.get("dns", {})]
    summary = capture.of("capture")[0]["pcap"]
    return {"sent": len(frames), "counted": summary["packets"], "names": names, "dead": len(capture.dead)}


def cut() -> dict[str, Any]:
    """Capture with a small snap length."""
    pair()
    ring = Ring("v1", snap=64)
    send(PLAIN)
    frames: list[Frame] = []
    while len(frames) < 2:
        frames += ring.read()
        time.sleep(0.01)
    ring.close()
    ring.close()
    return {"kept": [len(frame.data) for frame in frames], "sizes": [frame.size for frame in frames]}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
