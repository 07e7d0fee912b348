"""Certificates that serve, and one clear line for each way in which they do not."""

import ssl
from pathlib import Path

import pytest
import trustme

from vonggac.intake.tls import TlsFiles, server_context


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pem")
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("one", "two"):
        made = ca.issue_cert("gw.example")
        made.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
        made.private_key_pem.write_to_path(folder / f"{name}.key")
    (folder / "none.pem").write_text("no certificate\n", "ascii")
    return folder


def files(folder: Path, cert: str = "one.pem", key: str = "one.key", ca: str = "") -> TlsFiles:
    return TlsFiles(str(folder / cert), str(folder / key), str(folder / ca) if ca else "")


def test_old_protocols_are_refused_and_clients_asked_only_with_a_ca(folder: Path) -> None:
    open_to_all, asking = server_context(files(folder)), server_context(files(folder, ca="ca.pem"))
    assert open_to_all.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (open_to_all.verify_mode, asking.verify_mode) == (ssl.CERT_NONE, ssl.CERT_REQUIRED)


@pytest.mark.parametrize(
    ("cert", "key", "ca", "reason"),
    [
        ("away.pem", "one.key", "", "away.pem: No such file or directory$"),
        ("one.pem", "two.key", "", "two.key: is not the key of the certificate in .*one.pem$"),
        ("none.pem", "one.key", "", "none.pem, .*one.key: no PEM certificate with a key that has no passphrase$"),
        ("one.pem", "one.key", "none.pem", "none.pem: no PEM certificates$"),
        ("one.pem", "one.key", "away.pem", "away.pem: No such file or directory$"),
    ],
)
def test_files_that_do_not_serve_are_named(folder: Path, cert: str, key: str, ca: str, reason: str) -> None:
    with pytest.raises((OSError, ValueError), match=reason):
        server_context(files(folder, cert, key, ca))
