"""Syslog over TCP and TLS on loopback: order, back-pressure, and senders that mean no good."""

import re
import resource
import select
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from tests.listening import AT, Listening, until
from vonggac.event import digest, windows_id
from vonggac.intake import _connections
from vonggac.intake.inlet import Inlet
from vonggac.intake.syslog_tcp import SyslogTcp
from vonggac.intake.tally import Tally
from vonggac.intake.tls import TlsFiles
from vonggac.people.units import Units

PROVIDER = "Microsoft-Windows-Security-Auditing"


def intake(tls: TlsFiles | None = None, connections: int = 1_000, held: int = _connections.HELD) -> SyslogTcp:
    return SyslogTcp("127.0.0.1", 0, clock=lambda: AT, tls=tls, connections=connections, held=held)


def sender(to: SyslogTcp) -> socket.socket:
    return socket.create_connection(("127.0.0.1", to.port), 30)


def lines(count: int, start: int = 0) -> bytes:
    return b"".join(b"<13>Mar  1 15:00:00 web1 app: %d\n" % number for number in range(start, start + count))


def closed_by(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True


def test_both_framings_in_one_connection_in_their_order() -> None:
    with Listening(intake()) as served, sender(served.intake) as out:
        out.sendall(b"<13>Mar  1 15:00:00 web1 app: one\n41 <13>1 2026-03-01T08:00:00Z h a - - - t\nwo<13>three\0")
        assert served.messages(3) == ["one", "t\nwo", "three"]
        first, second, third = served.events
        assert first["log"] == {"syslog": {"priority": 13}, "source": {"address": "127.0.0.1"}}
        assert (first["host"], second["host"], third["host"]) == ({"name": "web1"}, {"name": "h"}, {"ip": "127.0.0.1"})
        assert third["@timestamp"] == "2026-03-01T08:00:00.000000Z"
        assert third["vonggac"] == {
            "time_inferred": True,
            "time_received": True,
            "collector": "syslog",
            "unit": "default",
        }
        assert len({event["event"]["id"] for event in served.events}) == 3
        assert served.intake.figures()["connections"] == 1


def test_json_goes_to_the_collector_that_knows_it() -> None:
    windows = (
        b'{"@timestamp": "2026-03-01T01:00:00Z", "winlog": {"channel": "Security", "event_id": "4625", "record_id": 7,'
        b' "provider_name": "Microsoft-Windows-Security-Auditing", "computer_name": "pc1.example", "event_data": {}}}'
    )
    with Listening(intake()) as served, sender(served.intake) as out:
        out.sendall(windows + b'\n{"a": 1}\n{"a": 1}\n{"a": 1, broken\n<13>x\n')
        out.sendall(b'10 {"a":\n 1}\n10 {"a":\n 1}\n{"event": {"id": "e1"}}\n')
        until(lambda: len(served.events) == 8)
    kinds = [(event["vonggac"]["collector"], event["event"]["dataset"]) for event in served.events]
    json = ("json", "json.generic")
    assert kinds == [("winlogbeat", "windows.security"), json, json, *[("syslog", "linux.syslog")] * 2, *[json] * 3]
    assert served.events[0]["host"] == {"name": "pc1.example"}
    assert served.events[1]["log"] == {"source": {"address": "127.0.0.1"}}
    assert served.events[1]["vonggac"]["time_received"]
    ids = [event["event"]["id"] for event in served.events]
    assert len(set(ids)) == 8, "two equal messages are two events"
    assert (ids[0], ids[7]) == (windows_id("pc1.example", "Security", PROVIDER, 7, 1772326800000), digest("json", "e1"))


def test_equal_windows_events_without_a_number_are_two() -> None:
    windows = (
        b'{"@timestamp":"2026-03-01T01:00:00Z","winlog":{"channel":"Security","event_id":"4625","event_data":{}}}\n'
    )
    with Listening(intake()) as served, sender(served.intake) as out:
        out.sendall(windows * 2)
        until(lambda: len(served.events) == 2)
    assert len({event["event"]["id"] for event in served.events}) == 2


def test_json_that_cannot_be_read_is_text_and_named() -> None:
    deep = b'{"Hostname": "pc1", "a": ' + b'{"a": ' * 12_000
    with Listening(intake()) as served, sender(served.intake) as out:
        out.sendall(deep + b"\n")
        assert served.messages(1) == [deep.decode()]
        assert served.events[0]["vonggac"]["collector"] == "syslog"
        assert "not JSON" in served.told("from 127.0.0.1 at 2026-03-01T08:00:00.000000Z: ")
        assert served.dead[0]["vonggac"]["kept"]


def test_bytes_that_are_no_utf8_are_judged_and_named() -> None:
    with Listening(intake()) as served, sender(served.intake) as out:
        out.sendall(b"<13>Mar  1 15:00:00 web1 app: S\xe0i\n")
        assert served.messages(1) == ["S\ufffdi"]
        assert served.told("invalid UTF-8") == (
            f"tcp 127.0.0.1:{served.intake.port}: from 127.0.0.1 at 2026-03-01T08:00:00.000000Z: "
            "invalid UTF-8 at byte 31 of the line"
        )
        assert served.dead[0]["vonggac"]["kept"]


def test_what_a_closed_connection_leaves_is_judged() -> None:
    with Listening(intake()) as served:
        with sender(served.intake) as out:
            out.sendall(b"<13>whole enough")
        served.messages(1)
        with sender(served.intake) as out:
            out.sendall(b"20 <13>half")
        assert served.messages(2) == ["whole enough", "half"]
        served.told("connection ended after 8 of 20 bytes")
        assert served.intake.figures()["cut_total"] == 1


def test_a_full_log_stops_the_sender_and_loses_nothing() -> None:
    with Listening(intake(), room=100_000) as served, sender(served.intake) as out:
        served.paused.set()
        out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 << 10)
        out.setblocking(False)
        data, sent = lines(100_000), 0
        while sent < len(data) and select.select([], [out], [], 0.3)[1]:
            sent += out.send(data[sent : sent + 16_384])
        assert sent < len(data), "the window never closed"
        served.paused.clear()
        out.setblocking(True)
        whole = data.rfind(b"\n", 0, max(sent, 1)) + 1
        out.sendall(data[sent : data.find(b"\n", whole) + 1])
        count = data.count(b"\n", 0, whole) + 1
        assert served.messages(count) == [str(number) for number in range(count)]


def test_what_came_before_the_stop_is_handed_over() -> None:
    with Listening(intake()) as served:
        outs = [sender(served.intake) for _ in range(20)]
        until(lambda: served.intake.figures()["connections"] == 20)
        for out in outs:
            out.sendall(lines(400) + b"<13>no end")
        served.end()
        assert len(served.events) == 20 * 401
        assert all(closed_by(out) for out in outs)
        for out in outs:
            out.close()
        assert served.intake.figures()["connections_total"] == 20
        assert served.intake.figures()["received_total"] == 20 * 401


def test_a_stop_with_a_full_log_ends_soon_and_counts_what_is_lost() -> None:
    with Listening(intake(), room=10_000) as served, sender(served.intake) as out:
        served.paused.set()
        out.sendall(lines(1_000))
        until(lambda: served.intake.figures()["received_total"] > 200)
        served.end()
        figures = served.intake.figures()
        assert figures["dropped_total"] == 1_000 - len(served.events) > 0


def test_it_can_be_run_again_and_counts_on() -> None:
    served = intake()
    served.open()
    inlet = Inlet(Units(()), Tally(), lambda: AT)
    for _ in range(2):
        stop = threading.Event()
        thread = threading.Thread(target=served.run, args=(inlet, {}, stop))
        thread.start()
        with sender(served) as out:
            out.sendall(b"<13>a\n")
        until(lambda: inlet.take(0.1, 1 << 20))
        stop.set()
        thread.join()
    assert served.figures()["bytes_total"] == 12
    served.close()
    served.close()


def test_a_thousand_idle_connections_cost_little_and_one_more_is_refused() -> None:
    with Listening(intake(connections=1_000)) as served:
        idle = []
        try:
            for number in range(999):
                idle.append(sender(served.intake))
                if number % 2:
                    idle[-1].sendall(b"<13>Mar  1")  # and no more
            with sender(served.intake) as out:
                until(lambda: served.intake.figures()["connections"] == 1_000)
                with sender(served.intake) as more:
                    assert closed_by(more)
                out.sendall(lines(1_000))
                assert len(served.messages(1_000)) == 1_000
            assert "from 127.0.0.1 at" in served.told("connections refused, as many as allowed are open: 1")
            assert served.intake.figures()["refused_total"] == 1
        finally:
            for one in idle:
                one.close()


def test_who_never_sends_a_whole_message_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_connections, "_UNPROVEN_S", 0.0)
    with Listening(intake(connections=2)) as served, sender(served.intake) as real, sender(served.intake) as slow:
        real.sendall(lines(1))
        served.messages(1)
        until(lambda: served.intake.figures()["connections"] == 2)
        slow.sendall(b"<13>")
        with sender(served.intake) as new:
            assert closed_by(slow)
            new.sendall(lines(1, 1))
            served.messages(2)
            served.told("connections closed, they had sent no message and another sender came: 1")
            with sender(served.intake) as third:
                assert closed_by(third)
            real.sendall(lines(1, 2))
            assert served.messages(3) == ["0", "1", "2"]


def test_a_hundred_megabytes_without_an_end() -> None:
    with Listening(intake()) as served, sender(served.intake) as out:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        piece = b"x" * (1 << 20)
        for _ in range(100):
            out.sendall(piece)
        out.sendall(b"\n" + lines(1))
        cut, whole = served.messages(2)
        assert (len(cut), whole) == (256 << 10, "0")
        served.told("message is above the limit of 262,144 bytes: the rest of it is left out")
        assert len(served.dead) == 1
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, "KiB"


def test_many_that_begin_and_do_not_end_are_bounded_together() -> None:
    with Listening(intake(held=256 << 10)) as served:
        outs = [sender(served.intake) for _ in range(8)]
        for out in outs:
            out.sendall(b"<13>" + b"x" * 60_000)
        served.told("connections closed, too many bytes of messages that do not end")
        until(lambda: served.intake.figures()["connections"] < 8)
        for out in outs:
            out.close()


def test_an_address_in_use_is_named() -> None:
    first = intake()
    first.open()
    with pytest.raises(OSError, match=rf"^tcp 127.0.0.1:{first.port}: Address already in use$"):
        SyslogTcp("127.0.0.1", first.port).open()
    first.close()
    with pytest.raises(ValueError, match="'Mars' is no time zone"):
        SyslogTcp("127.0.0.1", 0, zone="Mars")


# ---------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    folder = tmp_path_factory.mktemp("tls")
    made = ca.issue_cert("127.0.0.1")
    made.private_key_and_cert_chain_pem.write_to_path(folder / "gw.pem")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    return TlsFiles(str(folder / "gw.pem"), str(folder / "gw.pem"), str(folder / "ca.pem"))


def encrypted(to: SyslogTcp, ca: trustme.CA, client: trustme.LeafCert | None) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    if client is not None:
        client.configure_cert(context)
    plain = sender(to)
    try:
        return context.wrap_socket(plain, server_hostname="127.0.0.1")
    except OSError:
        plain.close()
        raise


def test_tls_with_a_client_certificate(ca: trustme.CA, files: TlsFiles) -> None:
    with Listening(intake(files)) as served:
        assert served.intake.name == "syslog-tls"
        with encrypted(served.intake, ca, ca.issue_cert("pc1.example")) as out:
            out.sendall(lines(20_000))
            assert served.messages(20_000) == [str(number) for number in range(20_000)]
        until(lambda: not served.intake.figures()["connections"])


def test_without_a_ca_no_certificate_is_asked_for(ca: trustme.CA, files: TlsFiles) -> None:
    with Listening(intake(TlsFiles(files.cert, files.key))) as served:
        with encrypted(served.intake, ca, None) as out:
            out.sendall(b"5 <13>a")
        assert served.messages(1) == ["a"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "peer did not return a certificate"),
        ("of another CA", "client certificate: "),
        ("plain text", "(http request|wrong version number|unknown protocol|packet length too long)"),
    ],
)
def test_who_has_no_right_certificate_is_refused_counted_and_named(
    ca: trustme.CA, files: TlsFiles, kind: str, reason: str
) -> None:
    with Listening(intake(files)) as served:
        if kind == "plain text":
            with sender(served.intake) as out:
                out.sendall(lines(3))
                assert closed_by(out)
        else:
            client = None if kind == "missing" else trustme.CA().issue_cert("pc1.example")
            with pytest.raises(OSError), encrypted(served.intake, ca, client) as sure:  # noqa: PT012
                sure.sendall(lines(1))
                while sure.recv(1):  # TLS 1.3 tells the client only now
                    pass
                raise ConnectionResetError
        told = served.told("TLS handshakes failed: 1, the last: ")
        assert told.startswith(f"tls 127.0.0.1:{served.intake.port}: from 127.0.0.1 at ")
        assert re.search(reason, told)
        assert served.intake.figures()["handshakes_failed_total"] == 1
        assert served.events == []


def test_a_handshake_that_is_never_done_holds_up_nobody(
    ca: trustme.CA, files: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_connections, "HANDSHAKE_S", 0.3)
    with Listening(intake(files)) as served:
        silent = [sender(served.intake) for _ in range(30)]
        with encrypted(served.intake, ca, ca.issue_cert("pc1.example")) as out:
            out.sendall(lines(1))
            served.messages(1)
            assert all(closed_by(one) for one in silent)
            out.sendall(lines(1, 1))
            assert served.messages(2) == ["0", "1"]
        served.told("not done within 0.3 s")
        assert served.intake.figures()["handshakes_failed_total"] == 30
        for one in silent:
            one.close()


def test_certificates_are_read_before_the_port_is_taken(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"gw.pem: No such file or directory$"):
        intake(TlsFiles(str(tmp_path / "gw.pem"), "", "")).open()
