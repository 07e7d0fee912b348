"""Traffic for `bench`: syslog lines and Windows events as an agency's machines write them, new values each time."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

_HOSTS: Final = tuple(f"{kind}{number:02d}" for kind in ("web", "db", "app", "fw", "mail") for number in range(1, 13))
_PCS: Final = tuple(f"PC-{number:03d}.so-yte.example" for number in range(1, 201))
_USERS: Final = ("an", "binh", "chi", "dung", "giang", "hanh", "khanh", "lan", "minh", "nga", "oanh", "phuc", "quang")
_TRIED: Final = ("admin", "test", "oracle", "ubuntu", "postgres", "guest", "ftpuser", "support", "user")
_PROGRAMS: Final = (
    "chrome.exe",
    "svchost.exe",
    "WINWORD.EXE",
    "explorer.exe",
    "OUTLOOK.EXE",
    "Teams.exe",
    "conhost.exe",
)
#: how often, and what: `{i}` is an address, `{p}` a port, `{u}` a user, `{t}` a name that was tried, `{n}` any number
_LINES: Final = (
    (30, "<38>{time} {host} sshd[{n}]: Failed password for invalid user {t} from {i} port {p} ssh2"),
    (10, "<38>{time} {host} sshd[{n}]: Accepted publickey for {u} from 10.1.{b}.{c} port {p} ssh2: ED25519 SHA256:{x}"),
    (12, "<38>{time} {host} sshd[{n}]: Connection closed by authenticating user root {i} port {p} [preauth]"),
    (8, "<78>{time} {host} CRON[{n}]: (root) CMD (   cd / && run-parts --report /etc/cron.hourly)"),
    (
        10,
        "<85>{time} {host} sudo:   {u} : TTY=pts/{d} ; PWD=/home/{u} ; USER=root ; COMMAND=/usr/bin/systemctl status n{n}",
    ),
    (
        20,
        "<4>{time} {host} kernel: [{n}.{p}] [UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:12:34:56:52:54:00:65:43:21:08:00 "
        "SRC={i} DST=10.1.{b}.{c} LEN=60 TOS=0x00 PREC=0x00 TTL=49 ID={n} PROTO=TCP SPT={p} DPT=22 WINDOW=1024 SYN URGP=0",
    ),
    (10, "<30>{time} {host} systemd[1]: session-{n}.scope: Deactivated successfully."),
)
#: a line on which the packaged rule `root_logged_in_over_ssh_from_outside` fires; the pid is what it is known by
MARKER: Final = "<38>{time} {host} sshd[{pid}]: Accepted password for root from 203.0.113.{c} port {p} ssh2"


def syslog_lines(count: int, chance: random.Random, now: datetime) -> bytes:
    """Give lines of RFC 3164, each with its newline, of this second."""
    kinds = chance.choices([text for _, text in _LINES], [weight for weight, _ in _LINES], k=count)
    time = stamp(now)
    whole = chance.randrange(1 << 30)
    found = []
    for number, text in enumerate(kinds, whole):
        a, b, c = number * 2654435761 >> 8 & 0xFF, number * 40503 >> 4 & 0xFF, number & 0xFF
        line = text.format(
            time=time,
            host=_HOSTS[number % len(_HOSTS)],
            n=number % 99_991,
            i=f"{(198, 203, 192)[number % 3]}.{a}.{b}.{c}",
            p=1024 + number % 64_000,
            u=_USERS[number % len(_USERS)],
            t=_TRIED[number % len(_TRIED)],
            x=f"{number * 6364136223846793005 & (1 << 128) - 1:032x}",
            b=b,
            c=c,
            d=number % 8,
        )
        found.append(line)
    return ("\n".join(found) + "\n").encode()


def marker(pid: int, now: datetime) -> bytes:
    """Give a line that makes an alert; its pid says which one it is."""
    line = MARKER.format(time=stamp(now), host="web01", pid=pid, c=pid % 250 + 1, p=1024 + pid % 60_000)
    return line.encode() + b"\n"


def stamp(now: datetime) -> str:
    """Write `Nov 25 08:01:02` in Viet Nam's time."""
    local = now.astimezone(UTC) + timedelta(hours=7)
    return f"{local:%b} {local.day:2d} {local:%H:%M:%S}"


def windows_events(count: int, chance: random.Random, now: datetime) -> bytes:
    """Give NDJSON as Winlogbeat writes it: process starts, connections, file events and logons, 1.2 to 1.8 KB each."""
    time = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    first = chance.randrange(1 << 30)
    makers = chance.choices((_PROCESS, _NETWORK, _FILE, _LOGON), (50, 20, 20, 10), k=count)
    found = []
    for number, made in enumerate(makers, first):
        found.append(
            made
            % {
                b"time": time.encode(),
                b"n": b"%d" % number,
                b"pc": _PCS[number % len(_PCS)].encode(),
                b"user": _USERS[number % len(_USERS)].encode(),
                b"prog": _PROGRAMS[number % len(_PROGRAMS)].encode(),
                b"pid": b"%d" % (1_000 + number % 30_000),
                b"guid": b"%08x-%04x-%04x-%04x-%012x" % (number, number & 0xFFFF, 7, 9, number),
                b"hash": b"%064x" % (number % 5_003 * 0x9E3779B97F4A7C15),
                b"ip": b"10.1.%d.%d" % (number >> 8 & 0xFF, number & 0xFF),
                b"port": b"%d" % (49_152 + number % 16_000),
            }
        )
    return b"".join(found)


def records(count: int) -> Sequence[bytes]:
    """Give Windows events as the event log holds them: what the collector `winlogbeat` makes of them."""
    from vonggac import shelf
    from vonggac.event import Event
    from vonggac.ports import ReadOptions
    from vonggac.reading.source import of_bytes

    now = datetime.now(UTC)
    source = of_bytes(windows_events(count, random.Random(7), now), "bench", now, "bench.json")
    found: list[bytes] = []
    for batch, _ in shelf.collector("winlogbeat").open(source, ReadOptions()).read(None):
        for event in batch:
            if isinstance(event, Event):
                event.doc.setdefault("vonggac", {}).update(collector="winlogbeat", unit="default")
                found.append(event.to_json())
    return found


# -------------------------------------------------------------------- tables

_TOP: Final = (
    b'{"@timestamp":"%%(time)s","agent":{"ephemeral_id":"5f0c","id":"7d3b0f8e","name":"%%(pc)s","type":"winlogbeat",'
    b'"version":"8.15.1"},"ecs":{"version":"8.0.0"},"event":{"action":"%s","code":"%d","created":"%%(time)s",'
    b'"kind":"event","provider":"%s"},"host":{"name":"%%(pc)s"},"log":{"level":"information"},"message":"%s",'
    b'"winlog":{"api":"wineventlog","channel":"%s","computer_name":"%%(pc)s","event_data":{%s},"event_id":"%d",'
    b'"opcode":"Info","process":{"pid":3112,"thread":{"id":4408}},"provider_guid":"{5770385f-c22a-43e0-bf4c-06f5698ffbd9}",'
    b'"provider_name":"%s","record_id":%%(n)s,"task":"%s","user":{"domain":"NT AUTHORITY","identifier":"S-1-5-18",'
    b'"name":"SYSTEM","type":"User"},"version":5}}\n'
)
_SYSMON: Final = (b"Microsoft-Windows-Sysmon", b"Microsoft-Windows-Sysmon/Operational")


def _made(code: int, task: bytes, provider: bytes, channel: bytes, data: bytes) -> bytes:
    return _TOP % (task, code, provider, task, channel, data, code, provider, task)


_PROCESS: Final = _made(
    1,
    b"Process Create (rule: ProcessCreate)",
    *_SYSMON,
    b'"CommandLine":"\\"C:\\\\Program Files\\\\Common\\\\%(prog)s\\" --type=renderer --client-id=%(n)s --lang=vi",'
    b'"Company":"Example","CurrentDirectory":"C:\\\\Users\\\\%(user)s\\\\","Description":"Application",'
    b'"FileVersion":"128.0.6613.138","Hashes":"SHA256=%(hash)s","Image":"C:\\\\Program Files\\\\Common\\\\%(prog)s",'
    b'"IntegrityLevel":"Medium","LogonGuid":"{%(guid)s}","LogonId":"0x3e7","OriginalFileName":"%(prog)s",'
    b'"ParentCommandLine":"C:\\\\Windows\\\\Explorer.EXE","ParentImage":"C:\\\\Windows\\\\explorer.exe",'
    b'"ParentProcessGuid":"{%(guid)s}","ParentProcessId":"4820","ParentUser":"SOYTE\\\\%(user)s",'
    b'"ProcessGuid":"{%(guid)s}","ProcessId":"%(pid)s","Product":"Common","RuleName":"-","TerminalSessionId":"1",'
    b'"User":"SOYTE\\\\%(user)s","UtcTime":"2026-03-01 01:02:03.456"',
)
_NETWORK: Final = _made(
    3,
    b"Network connection detected (rule: NetworkConnect)",
    *_SYSMON,
    b'"DestinationHostname":"-","DestinationIp":"198.51.100.20","DestinationIsIpv6":"false","DestinationPort":"443",'
    b'"DestinationPortName":"https","Image":"C:\\\\Program Files\\\\Common\\\\%(prog)s","Initiated":"true",'
    b'"ProcessGuid":"{%(guid)s}","ProcessId":"%(pid)s","Protocol":"tcp","RuleName":"-","SourceHostname":"%(pc)s",'
    b'"SourceIp":"%(ip)s","SourceIsIpv6":"false","SourcePort":"%(port)s","SourcePortName":"-",'
    b'"User":"SOYTE\\\\%(user)s","UtcTime":"2026-03-01 01:02:03.456"',
)
_FILE: Final = _made(
    11,
    b"File created (rule: FileCreate)",
    *_SYSMON,
    b'"CreationUtcTime":"2026-03-01 01:02:03.456","Image":"C:\\\\Program Files\\\\Common\\\\%(prog)s",'
    b'"ProcessGuid":"{%(guid)s}","ProcessId":"%(pid)s","RuleName":"-",'
    b'"TargetFilename":"C:\\\\Users\\\\%(user)s\\\\AppData\\\\Local\\\\Temp\\\\%(n)s.tmp","User":"SOYTE\\\\%(user)s",'
    b'"UtcTime":"2026-03-01 01:02:03.456"',
)
_LOGON: Final = _made(
    4624,
    b"Logon",
    b"Microsoft-Windows-Security-Auditing",
    b"Security",
    b'"AuthenticationPackageName":"Kerberos","ElevatedToken":"%%1842","ImpersonationLevel":"%%1833",'
    b'"IpAddress":"%(ip)s","IpPort":"%(port)s","KeyLength":"0","LmPackageName":"-","LogonGuid":"{%(guid)s}",'
    b'"LogonProcessName":"Kerberos","LogonType":"3","ProcessId":"0x0","ProcessName":"-","SubjectDomainName":"-",'
    b'"SubjectLogonId":"0x0","SubjectUserName":"-","SubjectUserSid":"S-1-0-0","TargetDomainName":"SOYTE",'
    b'"TargetLogonId":"0x%(pid)s","TargetUserName":"%(user)s","TargetUserSid":"S-1-5-21-1-2-3-%(pid)s",'
    b'"TransmittedServices":"-","VirtualAccount":"%%1843","WorkstationName":"-"',
)
