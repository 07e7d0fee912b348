"""The TLS side of a listener: a context from PEM files, or one clear line that says why there is none."""

from __future__ import annotations

import ssl
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: our certificate with its chain, its key, and whose client certificates are taken ("" = none asked)."""

    cert: str
    key: str
    ca: str = ""


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Make a server's context, TLS 1.2 or newer; raises OSError or ValueError naming the file and what is wrong."""
    for path in filter(None, (files.cert, files.key, files.ca)):
        try:
            with open(path, "rb"):  # noqa: PTH123  OpenSSL does not say which of the files it could not read
                pass
        except OSError as error:
            msg = f"{path}: {error.strerror}"
            raise OSError(msg) from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # a key with a passphrase is refused: OpenSSL would ask for it on the terminal of a service
        context.load_cert_chain(files.cert, files.key, password=lambda: b"")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            msg = f"{files.key}: is not the key of the certificate in {files.cert}"
        else:
            msg = f"{files.cert}, {files.key}: no PEM certificate with a key that has no passphrase"
        raise ValueError(msg) from error
    if files.ca:
        try:
            context.load_verify_locations(files.ca)
        except ssl.SSLError as error:
            msg = f"{files.ca}: no PEM certificates"
            raise ValueError(msg) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context
