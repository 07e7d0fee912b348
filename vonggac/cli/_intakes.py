"""Which intakes `run` has, as the settings say; what cannot be listened on or watched is refused by its key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from vonggac.ports import ReadOptions
from vonggac.reading.source import Limits
from vonggac.reading.times import zone
from vonggac.serving.address import parted
from vonggac.settings import Settings

if TYPE_CHECKING:
    from vonggac.intake.inlet import Intake


def intakes_of(settings: Settings, working: Callable[[str], None], skip: frozenset[str]) -> Iterator[Intake]:
    """Yield the intakes, not yet opened; raises ValueError naming the key.

    `working` is told which file is being read; files in `skip` ended the process three times.
    """
    from vonggac.intake.inbox import Inbox
    from vonggac.intake.spool import Spool

    for key, name in (("scan", settings.scan.zone), ("syslog", settings.syslog.zone), ("follow", settings.follow.zone)):
        try:
            zone(name)
        except ValueError as error:
            msg = f"{key}.zone: {error}"
            raise ValueError(msg) from error
    limits = Limits(ratio=settings.scan.unpack_ratio)
    options = ReadOptions(zone=settings.scan.zone, time_limit_s=settings.scan.tshark_seconds)
    inbox, examine = settings.folder / "inbox", settings.folder / "examine"
    yield Inbox(inbox, options, limits, settings.inbox.keep_days, examine, working=working, skip=skip)
    yield Spool(inbox)
    yield from _syslog(settings)
    yield from _http(settings)
    if settings.follow.paths or settings.follow.units:
        from vonggac.intake.follow import Follow

        of_files = ReadOptions(zone=settings.follow.zone, time_limit_s=settings.scan.tshark_seconds)
        own = settings.follow
        yield Follow(own.paths, own.units, of_files, from_start=own.from_start)
    if settings.journald.follow:
        from vonggac.intake.journald import Journald

        yield Journald(settings.journald.unit)
    for interface in settings.capture.interfaces:
        from vonggac.intake.packets import Packets

        yield Packets(interface, settings.capture.filter, settings.capture.unit)


def _syslog(settings: Settings) -> Iterator[Intake]:
    from vonggac.intake.syslog_tcp import SyslogTcp
    from vonggac.intake.syslog_udp import SyslogUdp
    from vonggac.intake.tls import TlsFiles

    own = settings.syslog
    if own.listen:
        host, port = parted("syslog.listen", own.listen)
        yield SyslogUdp(host, port, zone=own.zone, unit=own.unit)
        yield SyslogTcp(host, port, zone=own.zone, unit=own.unit, connections=own.connections)
    if own.tls.listen:
        host, port = parted("syslog.tls.listen", own.tls.listen)
        if not (own.tls.cert_file and own.tls.key_file):
            msg = "syslog.tls.listen: needs syslog.tls.cert_file and syslog.tls.key_file"
            raise ValueError(msg)
        files = TlsFiles(own.tls.cert_file, own.tls.key_file, own.tls.ca_file)
        yield SyslogTcp(host, port, zone=own.zone, unit=own.unit, connections=own.connections, tls=files)


def _http(settings: Settings) -> Iterator[Intake]:
    from vonggac.intake.http import HttpIntake

    own = settings.intake
    if not own.listen:
        return
    host, port = parted("intake.listen", own.listen)
    size = own.max_mb << 20
    yield HttpIntake(host, port, own.token, max_bytes=size, unit=own.unit, cert=own.cert_file, key=own.key_file)
