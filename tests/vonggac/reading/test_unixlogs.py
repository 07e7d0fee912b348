from typing import Any

import pytest

from vonggac.reading.unixlogs import explain


def told(program: str, message: str) -> tuple[dict[str, Any], dict[str, Any]]:
    doc: dict[str, Any] = {"event": {}}
    body = explain(doc, program, message, [])
    return doc, body


@pytest.mark.parametrize(
    ("message", "outcome", "user", "port"),
    [
        ("Failed password for an from 192.0.2.7 port 22 ssh2", "failure", "an", 22),
        ("Failed password for invalid user an from 192.0.2.7 port 22 ssh2", "failure", "an", 22),
        ("Failed none for invalid user  from 192.0.2.7 port 22 ssh2", "failure", None, 22),
        ("Accepted publickey for an from 192.0.2.7 port 22 ssh2: RSA SHA256:x", "success", "an", 22),
        ("Invalid user an from 192.0.2.7", "failure", "an", None),
        (
            "Invalid user an from 198.51.100.1 port 1 from 192.0.2.7 port 22",
            "failure",
            "an from 198.51.100.1 port 1",
            22,
        ),
        (
            "error: maximum authentication attempts exceeded for an from 192.0.2.7 port 22 ssh2 [preauth]",
            "failure",
            "an",
            22,
        ),
        ("Disconnected from authenticating user an 192.0.2.7 port 22 [preauth]", None, "an", 22),
        ("Connection closed by 192.0.2.7 port 22", None, None, 22),
    ],
)
def test_sshd(message: str, outcome: str | None, user: str | None, port: int | None) -> None:
    doc, _ = told("sshd", message)
    assert doc["event"].get("outcome") == outcome
    assert doc.get("user", {}).get("name") == user
    assert doc["source"]["ip"] == "192.0.2.7"
    assert doc["source"].get("port") == port


def test_sudo() -> None:
    doc, body = told("sudo", "    an : TTY=pts/0 ; PWD=/home/an ; USER=root ; COMMAND=/bin/sh -c 'a ; b=c'")
    assert doc["user"] == {"name": "an"}
    assert doc["process"] == {"command_line": "/bin/sh -c 'a ; b=c'"}
    assert doc["event"]["outcome"] == "success"
    assert body["kv"] == {"TTY": "pts/0", "PWD": "/home/an", "USER": "root", "COMMAND": "/bin/sh -c 'a ; b=c'"}
    doc, _ = told("sudo", "an : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh")
    assert doc["event"]["outcome"] == "failure"


def test_pam() -> None:
    message = "pam_unix(sshd:auth): authentication failure; logname= uid=0 tty=ssh ruser= rhost=192.0.2.7  user=an"
    doc, body = told("sshd", message)
    assert doc["event"]["outcome"] == "failure"
    assert doc["user"] == {"name": "an"}
    assert doc["source"] == {"ip": "192.0.2.7"}
    assert body["kv"]["tty"] == "ssh"
    doc, _ = told("su", "pam_unix(su:session): session opened for user root(uid=0) by an(uid=1000)")
    assert doc["event"]["action"] == "session_opened"
    assert doc["user"] == {"name": "root"}


def test_others() -> None:
    assert told("su", "FAILED SU (to root) an on pts/1")[0]["event"]["outcome"] == "failure"
    assert told("CRON", "(root) CMD (run-parts /etc/cron.daily)")[0]["process"]["command_line"].startswith("run-parts")
    doc, body = told("useradd", "new user: name=an, UID=1001, GID=1001, home=/home/an")
    assert doc["event"] == {"category": ["iam"], "action": "user_added"}
    assert body["kv"]["UID"] == "1001"
    doc, _ = told("kernel", "[1.5] [UFW BLOCK] IN=eth0 SRC=192.0.2.9 DST=198.51.100.1 PROTO=TCP SPT=40000 DPT=22")
    assert doc["event"]["action"] == "block"
    assert doc["network"] == {"transport": "tcp"}
    assert doc["destination"] == {"ip": "198.51.100.1", "port": 22}


def test_any_program_may_write_json_or_cef() -> None:
    assert told("x", 'msg {"a": 1}')[1] == {"json": {"a": 1}}
    doc, body = told("x", "CEF:0|V|P|1|100|N|5|request=http://example.org/ requestMethod=GET dst=192.0.2.1")
    assert body["cef"]["deviceVendor"] == "V"
    assert doc["url"] == {"original": "http://example.org/"}
    assert doc["event"] == {"provider": "V", "code": "100"}


def test_a_long_line_costs_little() -> None:
    told("sshd", "Failed password for " + "from x port 1 " * 100_000)
    told("x", "a=" * 500_000 + "b" * 500_000)
