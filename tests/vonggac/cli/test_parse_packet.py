import io
import sys
from pathlib import Path

import orjson
import pytest

from tests import pcap_writer as write
from vonggac.cli import parse_packet

PACKETS = write.stream([(True, b"GET /\x1b[31m HTTP/1.1\r\nHost: www.example.com\r\n\r\n")])
ENDS = "192.0.2.7:49152-198.51.100.20:80"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def capture(tmp_path: Path) -> str:
    path = tmp_path / "day.pcap"
    path.write_bytes(write.pcap(PACKETS))
    return str(path)


def test_a_conversation_as_lines(capture: str) -> None:
    out = io.StringIO()
    assert parse_packet.conversation(ENDS, capture, out) == 0
    rows = [orjson.loads(line) for line in out.getvalue().splitlines()]
    assert [row["number"] for row in rows] == list(range(1, 8))


def test_a_conversation_on_a_terminal_holds_no_control_sequences(capture: str) -> None:
    out = Terminal()
    assert parse_packet.conversation(ENDS, capture, out) == 0
    assert "#4  2026-03-01T08:00:00.030000Z" in out.getvalue()
    assert "    ip.src: 192.0.2.7\n" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_a_packet(capture: str) -> None:
    out = io.StringIO()
    assert parse_packet.packet(4, capture, out) == 0
    assert orjson.loads(out.getvalue())["layers"][2]["name"] == "TCP"
    out = Terminal()
    assert parse_packet.packet(4, capture, out) == 0
    assert "  TCP\n" in out.getvalue()
    assert "scapy" not in sys.modules, "GPL-2.0-only: it stays in its own process"


def test_part_of_a_conversation(capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(capture).write_bytes(write.pcap(PACKETS)[:-3])
    assert parse_packet.conversation(ENDS, capture, io.StringIO()) == 3
    assert "cut short" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("192.0.2.7:1-198.51.100.20:80", "no packet of conversation 192.0.2.7:1-198.51.100.20:80"),
        ("x", "'x' is no conversation: give network.community_id of a flow, or IP:PORT-IP:PORT"),
    ],
)
def test_nothing_of_it(capture: str, wanted: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_packet.conversation(wanted, capture, io.StringIO()) == 2
    assert capsys.readouterr().err == f"vonggac: {capture}: {said}\n"


def test_unusable_captures(tmp_path: Path, capture: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_packet.packet(99, capture, io.StringIO()) == 2
    assert capsys.readouterr().err == f"vonggac: {capture}: no packet 99\n"
    (tmp_path / "x.log").write_text("a log\n")
    assert parse_packet.packet(1, str(tmp_path / "x.log"), io.StringIO()) == 2
    assert "no packet capture" in capsys.readouterr().err
    assert parse_packet.packet(1, str(tmp_path / "none"), io.StringIO()) == 2
    assert "No such file" in capsys.readouterr().err


def test_without_tshark(capture: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert parse_packet.packet(1, capture, io.StringIO()) == 2
    assert capsys.readouterr().err == f"vonggac: {capture}: tshark is not installed: apt-get install tshark\n"
