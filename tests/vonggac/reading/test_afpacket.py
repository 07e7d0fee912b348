"""The ring of an interface: what is sent on the other end of the wire lies in it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import pcap_writer as write

ROOM = Path(__file__).parents[2] / "capture_room.py"
TAGGED = write.udp("192.0.2.7", 1, "192.0.2.8", 2, b"tagged")
TAGGED = TAGGED[:12] + b"\x81\x00\x00\x0a" + TAGGED[12:]
PLAIN = [write.udp("192.0.2.7", 1000, "192.0.2.8", port, b"x" * 100) for port in (514, 9999)]


def room(scene: str) -> Any:
    command = ["unshare", "-rn", "--kill-child", sys.executable, "-P", str(ROOM), scene]
    done = subprocess.run(command, capture_output=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_filter_stands_in_the_kernel_and_knows_tags_that_the_kernel_took_out() -> None:
    found = {bpf: [bytes.fromhex(data) for data in frames] for bpf, frames in room("filtered").items()}
    assert found == {
        "": [TAGGED, *PLAIN],
        "udp port 514": PLAIN[:1],
        "vlan 10": [TAGGED],
        "not port 514 and not vlan": PLAIN[1:],
    }


def test_a_long_packet_is_cut_and_its_size_kept() -> None:
    assert room("cut") == {"kept": [64, 64], "sizes": [len(data) for data in PLAIN]}


def test_an_interface_may_be_down_when_it_is_opened() -> None:
    assert room("filtered_while_down") == [TAGGED.hex()]
