"""What `vonggac check` finds of addresses and files: ports, certificates, secrets, interfaces, what is followed."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tests.service import free_ports
from vonggac.cli import _findings_net as net
from vonggac.settings import load


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_of_another_process_is_a_fault_and_one_of_our_service_is_not(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        port = other.getsockname()[1]
        settings = load(None, {"VONGGAC_SYSLOG__LISTEN": f"127.0.0.1:{port}", "VONGGAC_CONSOLE__LISTEN": "127.0.0.1:0"})
        name = f"syslog.listen ({'TCP' if kind == socket.SOCK_STREAM else 'UDP'})"
        (taken,) = [found for found in net.ports(settings, frozenset()) if found.what == name]
        (ours,) = [found for found in net.ports(settings, frozenset({"collect"})) if found.what == name]
    assert taken.state == "fail"
    assert f"sport = :{port}" in taken.do
    assert ours.state == "ok"


def test_where_the_running_service_should_listen_and_does_not() -> None:
    (port,) = free_ports(1)
    settings = load(None, {"VONGGAC_CONSOLE__LISTEN": f"127.0.0.1:{port}", "VONGGAC_SYSLOG__LISTEN": ""})
    (found,) = net.ports(settings, frozenset({"desk"}))
    assert (found.state, "nobody listens" in found.detail) == ("warn", True)


@pytest.mark.parametrize(
    ("settings", "how", "says"),
    [
        ({"VONGGAC_SYSLOG__LISTEN": "0.0.0.0:0"}, "warn", "in plain text"),
        ({"VONGGAC_INTAKE__LISTEN": "0.0.0.0:0"}, "warn", "in plain text"),
        ({"VONGGAC_CONSOLE__LISTEN": "0.0.0.0:0"}, "fail", "no loopback address"),
        ({"VONGGAC_SYSLOG__LISTEN": "192.0.2.1:0"}, "fail", "Cannot assign requested address"),
        (
            {"VONGGAC_SYSLOG__LISTEN": "localhost"},
            "fail",
            "syslog.listen: 'localhost': an address and a port are wanted",
        ),
        ({"VONGGAC_SYSLOG__TLS__LISTEN": "0.0.0.0:0"}, "ok", "0.0.0.0:0"),
    ],
)
def test_addresses_that_are_open_to_others_or_none_of_ours(settings: dict[str, str], how: str, says: str) -> None:
    near = {"VONGGAC_CONSOLE__LISTEN": "127.0.0.1:0", "VONGGAC_SYSLOG__LISTEN": "127.0.0.1:0"}
    found = [one for one in net.ports(load(None, {**near, **settings}), frozenset()) if says in one.detail]
    assert found
    assert {one.state for one in found} == {how}


def test_certificates_are_read_and_their_end_is_told(tmp_path: Path) -> None:
    authority = trustme.CA()
    ends = {"long": timedelta(days=400), "short": timedelta(days=9), "gone": timedelta(days=-1)}
    for name, left in ends.items():
        made = authority.issue_cert("soc.example", not_after=datetime.now(UTC) + left)
        made.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")

    def judged(cert: str, key: str) -> tuple[str, str]:
        environ = {
            "VONGGAC_SYSLOG__TLS__LISTEN": "127.0.0.1:0",
            "VONGGAC_SYSLOG__TLS__CERT_FILE": str(tmp_path / cert),
            "VONGGAC_SYSLOG__TLS__KEY_FILE": str(tmp_path / key),
        }
        found, any_sender = net.certificates(load(None, environ), time.time())
        assert any_sender.what == "syslog.tls.ca_file"
        return found.state, found.detail

    assert judged("long.pem", "long.pem")[0] == "ok"
    assert judged("short.pem", "short.pem") == ("warn", f"{tmp_path}/short.pem: 8 days left")
    assert judged("gone.pem", "gone.pem") == ("fail", f"{tmp_path}/gone.pem: out of date")
    assert judged("long.pem", "short.pem")[0] == "fail"
    assert "No such file" in judged("none.pem", "long.pem")[1]


def test_secrets_that_others_may_read(tmp_path: Path) -> None:
    token, config = tmp_path / "token", tmp_path / "vonggac.toml"
    token.write_text("a-token-of-the-tests")
    token.chmod(0o644)
    config.write_text('[intake]\ntoken = "a-token-of-the-tests"\n')
    config.chmod(0o640)
    environ = {"VONGGAC_INTAKE__TOKEN_FILE": str(token)}
    (open_token,) = net.secrets(load(None, environ), environ, None)
    assert (open_token.state, open_token.do) == ("warn", f"chmod 0600 {token}")
    token.chmod(0o600)
    assert [found.state for found in net.secrets(load(None, environ), environ, None)] == ["ok"]
    (open_config,) = net.secrets(load(str(config), {}), {}, str(config))
    assert "vonggac.toml: others may read it (mode 0640)" in open_config.detail
    assert list(net.secrets(load(None, {}), {}, None)) == []


def test_interfaces_and_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x\n")
    paths = f"{tmp_path}/*.log:{tmp_path}/*.txt"
    settings = load(None, {"VONGGAC_CAPTURE__INTERFACES": "lo:nowhere0", "VONGGAC_FOLLOW__PATHS": paths})
    there, away = net.interfaces(settings, frozenset({"collect"}))
    assert (there.state, away.state) == ("ok", "fail")
    assert "lo" in away.do
    logs, texts = net.followed(settings)
    assert (logs.state, texts.state) == ("ok", "warn")


def test_followed_files_are_looked_for_as_the_service_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for number in range(201):
        (tmp_path / "deep" / "er" / f"{number}.log").write_bytes(b"")
    deep, home = net.followed(load(None, {"VONGGAC_FOLLOW__PATHS": f"{tmp_path}/**/7.log:~/deep/er/*.log"}))
    assert (deep.detail, home.detail) == (f"{tmp_path}/**/7.log: 1", "~/deep/er/*.log: 200+")
