"""The worker imports scapy: it is run as the program that it is, never imported by the tests."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests import pcap_writer as write


def dissect(link: int, data: bytes) -> dict[str, Any]:
    command = [sys.executable, "-I", "-m", "collectors._packet_worker", str(link)]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_layers_and_their_fields() -> None:
    told = dissect(1, write.udp(write.CLIENT, 5000, write.RESOLVER, 53, write.dns(7, "www.example.com")))
    assert told["link_name"] == "Ether"
    assert [layer["name"] for layer in told["layers"]] == ["Ethernet", "IP", "UDP", "DNS"]
    assert told["layers"][1]["fields"]["src"] == "192.0.2.7"
    assert "www.example.com" in told["layers"][3]["fields"]["qd"]


@pytest.mark.parametrize(("link", "data"), [(65000, b"abc"), (1, b"abc")], ids=["unknown link type", "cut short"])
def test_what_it_cannot_take_apart_is_one_raw_layer(link: int, data: bytes) -> None:
    (layer,) = dissect(link, data)["layers"]
    assert layer["name"] == "Raw"
    assert layer["fields"] == {"load": "b'abc'"}
