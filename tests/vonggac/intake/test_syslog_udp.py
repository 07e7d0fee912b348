"""Syslog datagrams on loopback: what arrives, and that nothing is lost in silence."""

import socket
import threading
from functools import partial

import pytest

from tests.listening import AT, Listening, until
from vonggac.intake import syslog_udp
from vonggac.intake.inlet import Inlet
from vonggac.intake.syslog_udp import BUFFER, SyslogUdp
from vonggac.intake.tally import Tally
from vonggac.people.units import Units


def intake(buffer: int = BUFFER) -> SyslogUdp:
    return SyslogUdp("127.0.0.1", 0, unit="so-yte", buffer=buffer, clock=lambda: AT)


def sender(to: SyslogUdp) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.connect(("127.0.0.1", to.port))
    return made


def done_with(served: SyslogUdp, sent: int) -> bool:
    """Say whether the last one was read: it then waits for room, or was dropped."""
    return served.figures()["received_total"] == sent


def test_a_datagram_is_a_message() -> None:
    with Listening(intake()) as served, sender(served.intake) as out:
        out.send(b"<38>Mar  1 15:00:00 web1 sshd[7]: Failed password for an from 192.0.2.7 port 1 ssh2\n")
        out.send(b"<13>1 - - - - - - two\nlines\0")
        out.send(b"")
        out.send(b"<13>Mar  1 15:00:00 web1 app: " + b"x" * 65_000)
        served.messages(3)
        first, second, third = served.events
        assert first["source"]["ip"] == "192.0.2.7"
        assert first["log"] == {"syslog": {"priority": 38}, "source": {"address": "127.0.0.1"}}
        assert first["vonggac"] == {"time_inferred": True, "collector": "syslog", "unit": "so-yte"}
        assert second["message"] == "two\nlines"
        assert second["host"] == {"ip": "127.0.0.1"}
        assert len(third["message"]) == 65_000
        assert served.intake.figures() == {
            "received_total": 3,
            "bytes_total": sum(len(one["event"]["original"]) for one in served.events) + 2,  # the trailers
            "dropped_total": 0,
            "dropped_kernel_total": 0,
        }


def test_what_the_kernel_drops_is_counted_and_told() -> None:
    opened = intake(buffer=8_192)
    opened.open()
    with sender(opened) as out:
        for number in range(500):  # nobody reads yet
            out.send(b"<13>Mar  1 15:00:00 web1 app: %d" % number)
    with Listening(opened, is_open=True) as served:
        told = served.told("the receive buffer was full")
        figures = until(lambda: opened.figures() if opened.figures()["received_total"] == len(served.events) else None)
    assert 0 < figures["received_total"] < 500
    assert figures["received_total"] + figures["dropped_kernel_total"] == 500
    lost = 500 - len(served.events)
    at = f"udp 127.0.0.1:{opened.port}: at 2026-03-01T08:00:00.000000Z"
    assert told == f"{at}: messages lost, the receive buffer was full: {lost}"


def test_what_the_log_has_no_room_for_is_counted_and_told() -> None:
    with Listening(intake(), room=2_000) as served, sender(served.intake) as out:
        served.paused.set()
        sent = 0
        while not served.intake.figures()["dropped_total"]:
            out.send(b"<13>Mar  1 15:00:00 web1 app: x")
            sent += 1
            until(partial(done_with, served.intake, sent))
        figures = served.intake.figures()
        served.paused.clear()
        assert "messages lost, the log took no more: " in served.told("the log took no more")
        assert len(served.events) == figures["received_total"] - figures["dropped_total"]


def test_what_the_kernel_holds_at_the_end_is_handed_over() -> None:
    served = intake()
    served.open()
    with sender(served) as out:
        for number in range(700):
            out.send(b"<13>Mar  1 15:00:00 web1 app: %d" % number)
    inlet, stop = Inlet(Units(()), Tally(), lambda: AT), threading.Event()
    stop.set()
    served.run(inlet, {}, stop)
    served.close()
    assert sum(len(one.outs) for one in inlet.take(0, 1 << 30)) == 700


def test_a_closed_inlet_ends_it() -> None:
    served = intake()
    served.open()
    inlet = Inlet(Units(()), Tally(), lambda: AT)
    inlet.close()
    with sender(served) as out:
        out.send(b"<13>a")
    served.run(inlet, {}, threading.Event())
    served.close()
    served.close()


def test_an_address_in_use_and_a_zone_that_is_none_are_named() -> None:
    first = intake()
    first.open()
    with pytest.raises(OSError, match=rf"^udp 127.0.0.1:{first.port}: Address already in use$"):
        SyslogUdp("127.0.0.1", first.port).open()
    first.close()
    with pytest.raises(OSError, match=r"^udp no-such-host.invalid:0: "):
        SyslogUdp("no-such-host.invalid", 0).open()
    with pytest.raises(ValueError, match="'Mars' is no time zone"):
        SyslogUdp("127.0.0.1", 0, zone="Mars")


def test_a_buffer_that_the_kernel_does_not_grant_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(syslog_udp, "_SO_RCVBUFFORCE", socket.SO_RCVBUF)  # as without the right to force it
    served = intake()
    served.open()
    served.close()
    assert f"udp 127.0.0.1:{served.port}: a receive buffer of " in caplog.text
    assert "bytes only: sysctl net.core.rmem_max=33554432, or CAP_NET_ADMIN" in caplog.text


def test_ipv6() -> None:
    with Listening(SyslogUdp("::1", 0, clock=lambda: AT)) as served:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as out:
            out.sendto(b"<13>hello", ("::1", served.intake.port))
        assert served.messages(1) == ["hello"]
        assert served.events[0]["host"] == {"ip": "::1"}
