"""Real senders on loopback: util-linux's logger, and rsyslogd with TLS and a certificate of its own."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from tests.listening import AT, Listening, until
from vonggac.intake.syslog_tcp import SyslogTcp
from vonggac.intake.syslog_udp import SyslogUdp
from vonggac.intake.tls import TlsFiles

TEXT = "Đăng nhập thất bại từ 192.0.2.7"
Start = Callable[[str], Path]


@pytest.fixture
def rsyslogd(tmp_path: Path) -> Iterator[Start]:
    """Start an rsyslogd in the foreground that sends what comes to its socket where an action says; give the socket."""
    socket, config = tmp_path / "log", tmp_path / "rsyslog.conf"
    with ExitStack() as stack:

        def start(action: str) -> Path:
            config.write_text(
                f'global(workDirectory="{tmp_path}")\n'
                'module(load="imuxsock" SysSock.Use="off")\n'
                f'input(type="imuxsock" Socket="{socket}" RateLimit.Interval="0")\n'
                f"{action}\n",
                "utf-8",
            )
            log = stack.enter_context((tmp_path / "out").open("wb"))
            child = subprocess.Popen(
                ["rsyslogd", "-n", "-i", "NONE", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            stack.callback(child.wait, 30)
            stack.callback(child.terminate)
            until(lambda: socket.exists() or child.poll() is not None)
            assert child.poll() is None, (tmp_path / "out").read_text()
            return socket

        yield start


def forward(port: int, protocol: str = "tcp", more: str = "") -> str:
    return f'action(type="omfwd" target="127.0.0.1" port="{port}" protocol="{protocol}" {more})'


def encrypted(folder: Path, ca: trustme.CA, client: trustme.LeafCert | None) -> str:
    """Write what rsyslogd needs to show; give its settings, to stand before the action."""
    ca.cert_pem.write_to_path(folder / "ca.pem")
    own = ""
    if client is not None:
        client.cert_chain_pems[0].write_to_path(folder / "client.pem")
        client.private_key_pem.write_to_path(folder / "client.key")
        own = (
            f'DefaultNetstreamDriverCertFile="{folder}/client.pem" DefaultNetstreamDriverKeyFile="{folder}/client.key"'
        )
    return f'global(DefaultNetstreamDriver="ossl" DefaultNetstreamDriverCAFile="{folder}/ca.pem" {own})\n'


TLS = 'StreamDriver="ossl" StreamDriverMode="1" StreamDriverAuthMode="x509/certvalid" TCP_Framing="octet-counted"'


@pytest.fixture
def tls_intake(tmp_path: Path) -> tuple[SyslogTcp, trustme.CA]:
    ca, folder = trustme.CA(), tmp_path / "server"
    folder.mkdir()
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "gw.pem")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    files = TlsFiles(str(folder / "gw.pem"), str(folder / "gw.pem"), str(folder / "ca.pem"))
    return SyslogTcp("127.0.0.1", 0, clock=lambda: AT, tls=files), ca


def logger(*arguments: str) -> None:
    subprocess.run(["logger", *arguments], check=True, timeout=30)


@pytest.mark.parametrize("form", ["--rfc3164", "--rfc5424", "--rfc5424=notime,nohost"])
@pytest.mark.parametrize("way", ["--udp", "--tcp", "--tcp --octet-count"])
def test_logger(way: str, form: str) -> None:
    intake = (SyslogUdp if way == "--udp" else SyslogTcp)("127.0.0.1", 0, clock=lambda: AT)
    with Listening[SyslogUdp | SyslogTcp](intake) as served:
        logger(
            "--server",
            "127.0.0.1",
            "--port",
            str(intake.port),
            *way.split(),
            form,
            "-p",
            "auth.info",
            "-t",
            "app",
            TEXT,
        )
        assert served.messages(1) == [TEXT]
        (event,) = served.events
        assert event["process"]["name"] == "app"
        assert event["log"] == {"syslog": {"priority": 38}, "source": {"address": "127.0.0.1"}}
        assert event["host"]["ip" if "nohost" in form else "name"]
    assert served.dead == []


@pytest.mark.parametrize(
    ("protocol", "more"),
    [("udp", ""), ("tcp", ""), ("tcp", 'TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format"')],
)
def test_rsyslogd(rsyslogd: Start, tmp_path: Path, protocol: str, more: str) -> None:
    intake = (SyslogUdp if protocol == "udp" else SyslogTcp)("127.0.0.1", 0, clock=lambda: AT)
    wanted = [f"{TEXT} {number}" for number in range(100)]
    (tmp_path / "lines").write_text("\n".join(wanted) + "\n", "utf-8")
    with Listening[SyslogUdp | SyslogTcp](intake) as served:
        socket = rsyslogd(forward(intake.port, protocol, more))
        logger("--socket", str(socket), "-t", "sshd", "-f", str(tmp_path / "lines"))
        assert [message.strip() for message in served.messages(100)] == wanted
        assert {event["process"]["name"] for event in served.events} == {"sshd"}
    assert served.dead == []


def test_rsyslogd_with_tls_and_its_certificate(
    rsyslogd: Start, tmp_path: Path, tls_intake: tuple[SyslogTcp, trustme.CA]
) -> None:
    intake, ca = tls_intake
    wanted = [f"{TEXT} {number}" for number in range(500)]
    (tmp_path / "lines").write_text("\n".join(wanted) + "\n", "utf-8")
    with Listening(intake) as served:
        settings = encrypted(tmp_path, ca, ca.issue_cert("pc1.example"))
        socket = rsyslogd(settings + forward(intake.port, more=TLS))
        logger("--socket", str(socket), "-t", "sshd", "-f", str(tmp_path / "lines"))
        assert [message.strip() for message in served.messages(500)] == wanted
    assert served.dead == []


@pytest.mark.parametrize("client", ["none", "of another CA"])
def test_rsyslogd_without_a_right_certificate(
    rsyslogd: Start, tmp_path: Path, tls_intake: tuple[SyslogTcp, trustme.CA], client: str
) -> None:
    intake, ca = tls_intake
    with Listening(intake) as served:
        shown = None if client == "none" else trustme.CA().issue_cert("pc1.example")
        socket = rsyslogd(encrypted(tmp_path, ca, shown) + forward(intake.port, more=TLS))
        logger("--socket", str(socket), TEXT)
        served.told("TLS handshakes failed: 1, the last: ")
        assert served.events == []
        assert intake.figures()["handshakes_failed_total"] >= 1
