"""Who may send to the HTTP intake: the token in each form that shippers give it, and certificates."""

import base64
import socket
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from tests.http_site import BEARER, TOKEN, site
from tests.listening import until
from vonggac.intake.http import HttpIntake
from vonggac.intaketesting import DEADLINE

# ------------------------------------------------------------------ the token


def basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN} ", 200),
        (f"ApiKey {TOKEN}", 200),
        (f"ApiKey {basic('id:' + TOKEN)}", 200),
        (f"ApiKey {basic(TOKEN)}", 200),
        (f"Basic {basic('shipper:' + TOKEN)}", 200),
        (f"Basic {basic(TOKEN + ':')}", 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (f"Bearer {TOKEN}, Bearer {TOKEN}", 401),
        ("Bearer \xff", 401),
        ("Digest x", 401),
        (TOKEN, 401),
        ("", 401),
    ],
)
def test_the_token(header: str, code: int) -> None:
    with site() as there:
        assert there.ask("GET", "/", headers={"Authorization": header})[0] == code
        assert there.figure("refused_unauthorized_total") == (code == 401)


def test_without_the_token_no_body_is_read() -> None:
    with site() as there:
        code, answer, headers = there.ask("POST", "/_bulk", bytes(50_000), headers={})
        assert code == 401
        assert answer["error"]["type"] == "security_exception"
        assert "WWW-Authenticate" in headers
        assert there.figure("bytes_total") == 0


# ------------------------------------------------------------------- settings


def test_a_short_token_is_refused() -> None:
    with pytest.raises(ValueError, match=r"intake\.token: at least 16 characters"):
        HttpIntake("127.0.0.1", 0, "short")


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"intake\.cert_file and intake\.key_file"):
        HttpIntake("127.0.0.1", 0, TOKEN, cert=str(tmp_path / "a.pem"))


def test_https(tmp_path: Path) -> None:
    import ssl
    from http.client import HTTPSConnection

    import trustme

    authority = trustme.CA()
    pem = authority.issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    pem.cert_chain_pems[0].write_to_path(cert)
    pem.private_key_pem.write_to_path(key)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with site(cert=str(cert), key=str(key)) as there:
        with closing(HTTPSConnection(*there.address, context=trusting, timeout=DEADLINE)) as client:
            for _ in range(2):
                client.request("POST", "/", b'{"a":1}', BEARER)
                answer = client.getresponse()
                assert (answer.status, orjson.loads(answer.read())["taken"]) == (200, 1)
        with socket.create_connection(there.address, timeout=DEADLINE) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200" not in plain.recv(1_000)
        until(lambda: there.figure("handshakes_failed_total") == 1)
        assert len(there.log.events()) == 2
