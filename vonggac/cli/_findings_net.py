"""What `check` says of what the service listens on and reads: addresses, certificates, secrets, interfaces, files."""

from __future__ import annotations

import errno
import glob
import os
import socket
import ssl
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from vonggac.cli._findings import Finding
from vonggac.cli._findings_machine import may
from vonggac.cli._intakes import intakes_of
from vonggac.i18n import _, later
from vonggac.intake.tls import TlsFiles, server_context
from vonggac.reading.source import display
from vonggac.serving.address import is_loopback, parted, resolved
from vonggac.settings import Settings, keys, twin

_DAYS: Final = 30  # a certificate that ends sooner is told
_NET_RAW: Final = 13  # capabilities(7)
_MATCHES: Final = 200

NAMES: Final = (later("settings of the service"), later("certificate"), later("secrets"), later("followed files"))


class Port(NamedTuple):
    """An address of the settings."""

    key: str
    listen: str
    kind: socket.SocketKind
    role: str  # who listens there
    plain: bool  # what is sent there can be read on the way


def ports_of(settings: Settings) -> Iterator[Port]:
    """List the addresses that the service listens on."""
    tcp, udp = socket.SOCK_STREAM, socket.SOCK_DGRAM
    yield Port("console.listen", settings.console.listen, tcp, "desk", plain=False)
    if settings.syslog.listen:
        yield Port("syslog.listen", settings.syslog.listen, udp, "collect", plain=True)
        yield Port("syslog.listen", settings.syslog.listen, tcp, "collect", plain=True)
    if settings.syslog.tls.listen:
        yield Port("syslog.tls.listen", settings.syslog.tls.listen, tcp, "collect", plain=False)
    if settings.intake.listen:
        plain = not settings.intake.cert_file
        yield Port("intake.listen", settings.intake.listen, tcp, "collect", plain=plain)


def intakes(settings: Settings) -> Iterator[Finding]:
    """Say what the service would refuse to start with."""
    try:
        names = [one.name for one in intakes_of(settings, lambda _text: None, frozenset())]
    except (OSError, ValueError) as error:
        yield Finding("settings of the service", "fail", str(error), _("mend that setting: `run` refuses it"))
    else:
        yield Finding("settings of the service", "ok", ", ".join(names))


def ports(settings: Settings, running: frozenset[str]) -> Iterator[Finding]:
    """Try each address; `running` are the roles of our own service, which hold theirs."""
    for port in ports_of(settings):
        name = f"{port.key} ({'UDP' if port.kind == socket.SOCK_DGRAM else 'TCP'})"
        try:
            host, number = parted(port.key, port.listen)
        except ValueError as error:
            yield Finding(name, "fail", str(error), _("mend that setting: `run` refuses it"))
            continue
        fault = _bound(host, number, port.kind)
        yield _judged(name, port, host, number, fault, ours=port.role in running)


def _judged(name: str, port: Port, host: str, number: int, fault: int, *, ours: bool) -> Finding:
    if ours and number and not fault:
        todo = _("the running service has other settings, or could not listen: see its log, reload it with SIGHUP")
        return Finding(name, "warn", _("{address}: nobody listens").format(address=port.listen), todo)
    if fault == errno.EADDRINUSE and not ours:
        flag = "u" if port.kind == socket.SOCK_DGRAM else "t"
        todo = _("stop that process (`ss -lnp{flag} sport = :{port}` names it), or set {key}").format(
            flag=flag, port=number, key=port.key
        )
        return Finding(name, "fail", _("{address}: another process has it").format(address=port.listen), todo)
    if fault == errno.EACCES and not ours:
        todo = _("take a port from 1024 on, or give the service CAP_NET_BIND_SERVICE")
        return Finding(name, "warn", _("{address}: no right to listen there").format(address=port.listen), todo)
    if fault and fault not in (errno.EADDRINUSE, errno.EACCES):
        detail = _("{address}: {reason}").format(address=port.listen, reason=os.strerror(fault))
        todo = _("name an address of this machine in {key}").format(key=port.key)
        return Finding(name, "fail", detail, todo)
    if not is_loopback(host):
        return _reached(name, port)
    return Finding(name, "ok", port.listen)


def _reached(name: str, port: Port) -> Finding:
    """Judge an address that other machines reach."""
    if port.key == "console.listen":
        todo = _("these pages ask for no token: 127.0.0.1 or ::1")
        return Finding(name, "fail", _("{address}: no loopback address").format(address=port.listen), todo)
    if not port.plain:
        return Finding(name, "ok", port.listen)
    detail = _("{address}: other machines reach it, in plain text").format(address=port.listen)
    if port.key == "intake.listen":
        todo = _("the token can be read on the way: set intake.cert_file and intake.key_file")
    else:
        todo = _("anybody can send in anybody's name: prefer syslog.tls, let the firewall name the senders")
    return Finding(name, "warn", detail, todo)


def _bound(host: str, port: int, kind: socket.SocketKind) -> int:
    """Bind for a moment; 0, or why it does not go (errno)."""
    try:
        family, at = resolved(host, port, kind)
        with socket.socket(family, kind) as probe:
            if kind == socket.SOCK_STREAM:  # else a connection that has just ended would count
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(at)
    except socket.gaierror:
        return errno.EADDRNOTAVAIL
    except OSError as error:
        return error.errno or errno.EIO
    return 0


# ------------------------------------------------------------------ certificates


def certificates(settings: Settings, now: float) -> Iterator[Finding]:
    """Look at the certificates that are set; `now` in seconds since 1970."""
    tls, http = settings.syslog.tls, settings.intake
    if tls.listen and tls.cert_file and tls.key_file:
        yield certificate("syslog.tls", TlsFiles(tls.cert_file, tls.key_file, tls.ca_file), now)
        if not tls.ca_file:
            detail = _("any sender is taken, with or without a certificate")
            yield Finding("syslog.tls.ca_file", "warn", detail, _("set it to the CA of the senders' certificates"))
    if http.listen and http.cert_file and http.key_file:
        yield certificate("intake", TlsFiles(http.cert_file, http.key_file), now)


def certificate(key: str, files: TlsFiles, now: float) -> Finding:
    """Judge a certificate: readable, its key fits, and how long it lasts (with it the CA's of the senders)."""
    name = f"certificate ({key})"
    try:
        context = server_context(files)
        ends = [_ends(files)]
    except (OSError, ValueError) as error:
        return Finding(
            name, "fail", str(error), _("put the right PEM files there; this user must be able to read them")
        )
    ends += [ssl.cert_time_to_seconds(str(one["notAfter"])) for one in context.get_ca_certs()]
    days = (min(ends) - now) / 86_400
    if days < 0:
        detail = _("{file}: out of date").format(file=display(files.cert))
        return Finding(name, "fail", detail, _("put a new one there, then reload with SIGHUP"))
    detail = _("{file}: {count} days left").format(file=display(files.cert), count=int(days))
    if days < _DAYS:
        return Finding(name, "warn", detail, _("put a new one there, then reload with SIGHUP"))
    return Finding(name, "ok", detail)


def _ends(files: TlsFiles) -> float:
    """Say until when a certificate is good, seconds since 1970: ssl tells it only of a peer that it has verified.

    So the two ends of a connection are played here, in memory; the client trusts this one certificate. One that is out
    of date fails with X509_V_ERR_CERT_HAS_EXPIRED, 10, and counts as ended long ago. Raises ValueError for what no
    client would take.
    """
    server_side = server_context(TlsFiles(files.cert, files.key))
    client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_side.check_hostname = False
    client_side.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    client_side.load_verify_locations(cadata=_first(Path(files.cert).read_text("ascii", "replace")))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    try:
        for side in (client, server) * 3:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == 10:
            return 0.0
        msg = f"{files.cert}: {error.verify_message}"
        raise ValueError(msg) from error
    except ssl.SSLError as error:
        msg = f"{files.cert}: {error.reason or error}"
        raise ValueError(msg) from error
    found = client.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(found["notAfter"])))


def _first(pem: str) -> str:
    """Give the first certificate of a PEM file: the server's own, its chain follows."""
    start = pem.find("-----BEGIN CERTIFICATE")
    end = pem.find("-----END CERTIFICATE-----", start)
    return pem[start:end] + "-----END CERTIFICATE-----\n"


# ------------------------------------------------------------- files and rights


def secrets(settings: Settings, environ: Mapping[str, str], config: str | None) -> Iterator[Finding]:
    """Name each file with a key or a token that others may read."""
    paths = {settings.syslog.tls.key_file, settings.intake.key_file}
    paths |= {environ[name] for key in keys() if (name := f"{twin(key)}_FILE") in environ}
    if settings.intake.token and not {twin("intake.token"), f"{twin('intake.token')}_FILE"} & environ.keys():
        paths.add(config or environ.get("VONGGAC_CONFIG", ""))
    named = sorted(path for path in paths if path)
    found = False
    for path in named:
        try:
            mode = stat.S_IMODE(Path(path).stat().st_mode)
        except OSError as error:
            found = True
            detail = f"{display(path)}: {error.strerror}"
            yield Finding("secrets", "fail", detail, _("name a file that this user can read"))
            continue
        if mode & 0o077:
            found = True
            detail = _("{file}: others may read it (mode {mode})").format(file=display(path), mode=f"{mode:04o}")
            yield Finding("secrets", "warn", detail, f"chmod 0600 {display(path)}")
    if named and not found:
        yield Finding("secrets", "ok", _("{count} files, ours alone").format(count=len(named)))


def interfaces(settings: Settings, running: frozenset[str]) -> Iterator[Finding]:
    """Look whether packets can be read; the rights of a service that runs are its own."""
    for name in settings.capture.interfaces:
        what = f"capture: {name}"
        try:
            socket.if_nametoindex(name)
        except OSError:
            there = ", ".join(one for _number, one in socket.if_nameindex())
            todo = _("there are: {names}").format(names=there)
            yield Finding(what, "fail", _("no such interface"), todo)
            continue
        if "collect" not in running and not may(_NET_RAW):
            todo = _("give the service CAP_NET_RAW: AmbientCapabilities in its unit")
            yield Finding(what, "warn", _("this user has no right to read packets"), todo)
        else:
            yield Finding(what, "ok", _("it is there"))


def followed(settings: Settings) -> Iterator[Finding]:
    """Look whether the files that are to be followed are there and can be read."""
    for pattern in settings.follow.paths:
        found = []
        for path in glob.iglob(os.path.expanduser(pattern), recursive=True):  # noqa: PTH111, PTH207  as the service does
            found.append(path)
            if len(found) == _MATCHES:
                break
        closed = [path for path in found if not os.access(path, os.R_OK)]
        if not found:
            detail = _("{pattern}: nothing there yet").format(pattern=display(pattern))
            yield Finding("followed files", "warn", detail, _("is the path right, and may this user look there?"))
        elif closed:
            detail = _("{file}: no right to read it").format(file=display(closed[0]))
            todo = _("put the service's user into the group of these files (Debian: adm)")
            yield Finding("followed files", "fail", detail, todo)
        else:
            yield Finding("followed files", "ok", f"{display(pattern)}: {len(found)}{'+' * (len(found) == _MATCHES)}")
