"""Records of the Linux audit log to objects, and the records of one serial to one ECS document."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final

from vonggac.reading.bodies import address, number, port, put
from vonggac.reading.times import from_epoch

RECORD_LIMIT: Final = 64 << 10  # the kernel writes 8,970 bytes at most; what is beyond is not taken apart
_PAIRS: Final = 4096

Record = dict[str, Any]


def record(kind: str, body: str) -> Record:
    r"""Take a record's `name=value` pairs apart, from behind `msg=audit(…):`.

    `name="text"`; unquoted hex where the kernel encodes (`comm=2F62…`); `msg='…'` with pairs inside; behind 0x1d the
    names that an ENRICHED log adds. `(null)` is left out. An old AVC gives `seresult` and `seperms`.
    """
    found: Record = {"type": kind}
    body = body[:RECORD_LIMIT]
    if (start := body.find("msg='")) >= 0:
        end = body.rfind("'", start + 5)
        end = len(body) if end < 0 else end
        body = f"{body[:start]}{body[start + 5 : end]} {body[end + 1 :]}"
    if kind == "LOGIN":  # old kernels: `login pid=1 uid=0 old auid=4294967295 new auid=0`
        for word in ("old ", "new "):
            body = body.replace(f"{word}auid=", f"{word[:3]}_auid=").replace(f"{word}ses=", f"{word[:3]}_ses=")
    if match := _AVC.match(body):
        found["seresult"], found["seperms"] = match[1], match[2]
    parts: dict[str, list[str]] = {}  # of arguments that are split: a2[0]=… a2[1]=…
    for count, match in enumerate(_PAIR.finditer(body)):
        if count >= _PAIRS:
            break
        name, piece, quoted, plain = match.groups()
        if plain and plain[-1] in ",)" and plain[0] != "(":  # (hostname=?, addr=?, terminal=cron res=success)
            plain = plain.rstrip(",)")
        if quoted is not None:
            value: Any = quoted
        elif plain in ("(null)", "{", ""):
            continue
        elif name in _ENCODED or (kind == "EXECVE" and _ARGUMENT.fullmatch(name)):
            value = plain if piece else _decoded(name, plain)
        else:
            value = plain
        if piece:
            parts.setdefault(name, []).append(value)
        else:
            found.setdefault(name, value)
    for name, pieces in parts.items():
        found[name] = _decoded(name, "".join(pieces))
    if kind == "SYSCALL" and "SYSCALL" not in found:
        put(found, "SYSCALL", call_name(found.get("arch", ""), found.get("syscall", "")))
    if "saddr" in found and "saddr_fam" not in found:
        found.update(_socket(found["saddr"]))
    return found


def call_name(arch: str, number: str) -> str | None:
    """Name a system call by its number and the architecture (AUDIT_ARCH_*, hex); None when the table lacks it."""
    return _SYSCALLS.get(arch.lower(), {}).get(number)


def document(node: str, time: str, serial: str, records: Sequence[Record], original: str) -> dict[str, Any]:
    """Join the records of one serial; `time` is `seconds.millis` since 1970."""
    main = next((one for one in records if one["type"] == "SYSCALL"), records[0])
    event: dict[str, Any] = {"kind": "event", "module": "linux", "dataset": "linux.auditd", "original": original}
    own: dict[str, Any] = {"serial": serial, "records": list(records)}
    doc: dict[str, Any] = {"event": event, "auditd": own}
    with suppress(ValueError):  # beyond the year 9999
        doc["@timestamp"] = from_epoch(time)
    if node:
        own["node"] = node
        doc["host"] = {"name": node}
    call = main.get("SYSCALL")
    event["action"] = call or main["type"].lower()
    if category := _CATEGORIES.get(event["action"]) or _CATEGORIES.get(main["type"]):
        event["category"] = [category]
    if outcome := _OUTCOMES.get(main.get("success") or main.get("res") or main.get("result") or ""):
        event["outcome"] = outcome
    put(doc, "process.executable", _known(main.get("exe")))
    put(doc, "process.name", _known(main.get("comm")))
    put(doc, "process.pid", number(main.get("pid")))
    put(doc, "process.parent.pid", number(main.get("ppid")))
    put(doc, "process.command_line", _command(records))
    put(doc, "user.id", main.get("uid") or main.get("auid"))
    put(doc, "user.name", _known(main.get("acct") if main["type"] != "SYSCALL" else main.get("UID")))
    put(doc, "source.ip", address(main.get("addr", "")))
    put(doc, "file.path", _path(records))
    for one in records:
        side = _SIDES.get(call or "")
        if side and "laddr" in one:
            put(doc, f"{side}.ip", address(one["laddr"]))
            put(doc, f"{side}.port", port(one.get("lport")))
    return doc


def _known(text: str | None) -> str | None:
    return None if text in ("?", "unset") else text


def _decoded(name: str, text: str) -> Any:
    """Decode upper-case hex; what is none stands as it is. `key` may hold several keys, proctitle several words."""
    if len(text) % 2 or not _HEX.fullmatch(text):
        return text
    plain = bytes.fromhex(text)
    if name == "proctitle":
        plain = plain.rstrip(b"\0").replace(b"\0", b" ")
    decoded = plain.decode(errors="replace")
    return decoded.split("\x01") if name == "key" and "\x01" in decoded else decoded


def _command(records: Sequence[Record]) -> str | None:
    """Join EXECVE's arguments (they may fill several records), or give the title or command that stands there."""
    arguments: dict[int, str] = {}
    for one in records:
        if one["type"] == "EXECVE":
            for name, value in one.items():
                if match := _ARGUMENT.fullmatch(name):
                    place = int(match[1])
                    arguments[place] = arguments.get(place, "") + value
    if arguments:
        return " ".join(arguments[place] for place in sorted(arguments))
    for name in ("proctitle", "cmd"):
        for one in records:
            if name in one:
                return str(one[name])
    return None


def _path(records: Sequence[Record]) -> str | None:
    """Give the first path that is not the parent folder of another, whole where `cwd` is known."""
    paths = [one for one in records if one["type"] == "PATH" and "name" in one]
    for one in [*(path for path in paths if path.get("nametype") not in ("PARENT", "UNKNOWN")), *paths]:
        cwd = next((str(other["cwd"]) for other in records if other["type"] == "CWD" and "cwd" in other), "")
        return posixpath.join(cwd, str(one["name"]))
    return None


def _socket(text: str) -> Record:
    """Decode `saddr`, a struct sockaddr in hex, to the names of an ENRICHED log: `02000050A9FEA9FE…`."""
    if len(text) % 2 or not _HEX.fullmatch(text):
        return {}
    raw = bytes.fromhex(text)
    family = raw[0] if len(raw) > 1 and raw[1] == 0 else -1
    if family == 1:
        return {"saddr_fam": "local", "path": raw[2:].strip(b"\0").partition(b"\0")[0].decode(errors="replace")}
    at, size = {2: (4, 4), 10: (8, 16)}.get(family, (0, 0))
    if not size or len(raw) < at + size:
        return {}
    ip = str(ip_address(raw[at : at + size]))
    kind = "inet" if family == 2 else "inet6"
    return {"saddr_fam": kind, "laddr": ip, "lport": str(int.from_bytes(raw[2:4], "big"))}


# A name starts where no name goes on, so a word is looked at once.
_PAIR: Final = re.compile(r'(?<![\w\-\[\]])([A-Za-z_][\w\-]*)(\[[0-9]+\])?=(?:"([^"]*)"|([^\s"\']*))', re.ASCII)
_AVC: Final = re.compile(r"\s*avc:\s{1,4}(granted|denied)\s{1,4}\{ ([^}]{0,256}) \}")
_HEX: Final = re.compile(r"(?:[0-9A-F]{2})+")
_ARGUMENT: Final = re.compile(r"a([0-9]{1,6})")
_ENCODED: Final = frozenset(
    "acct cmd comm cwd data dir exe file grp key name ocomm path proctitle sw vm watch device cgroup".split()  # noqa: SIM905
)
_OUTCOMES: Final = {"yes": "success", "success": "success", "1": "success"} | dict.fromkeys(
    ("no", "failed", "fail", "0"), "failure"
)
_CATEGORIES: Final = {
    "execve": "process",
    "execveat": "process",
    "connect": "network",
    "accept": "network",
    "accept4": "network",
    "USER_LOGIN": "authentication",
    "USER_AUTH": "authentication",
    "USER_ACCT": "authentication",
    "USER_START": "session",
    "USER_END": "session",
    "ADD_USER": "iam",
    "DEL_USER": "iam",
    "ADD_GROUP": "iam",
    "DEL_GROUP": "iam",
    "USER_CHAUTHTOK": "iam",
}
_SIDES: Final = {"connect": "destination", "sendto": "destination", "accept": "source", "accept4": "source"}


def _table(text: str) -> dict[str, str]:
    names = text.split()
    return dict(zip(names[::2], names[1::2], strict=True))


#: arch (AUDIT_ARCH_*) -> number -> name, of the system calls that detection asks for
_SYSCALLS: Final = {
    "c000003e": _table(  # x86_64
        """
        0 read 1 write 2 open 41 socket 42 connect 43 accept 44 sendto 45 recvfrom 49 bind 50 listen 51 getsockname 52
        getpeername 56 clone 57 fork 58 vfork 59 execve 62 kill 76 truncate 77 ftruncate 82 rename 83 mkdir 84 rmdir
        85 creat 86 link 87 unlink 88 symlink 90 chmod 91 fchmod 92 chown 93 fchown 94 lchown 99 sysinfo 101 ptrace
        103 syslog 105 setuid 106 setgid 113 setreuid 117 setresuid 133 mknod 135 personality 155 pivot_root 157 prctl
        159 adjtimex 161 chroot 164 settimeofday 165 mount 166 umount2 167 swapon 169 reboot 170 sethostname 175
        init_module 176 delete_module 188 setxattr 227 clock_settime 246 kexec_load 257 openat 258 mkdirat 259 mknodat
        260 fchownat 263 unlinkat 264 renameat 265 linkat 266 symlinkat 268 fchmodat 272 unshare 288 accept4 298
        perf_event_open 308 setns 310 process_vm_readv 311 process_vm_writev 313 finit_module 316 renameat2 319
        memfd_create 320 kexec_file_load 321 bpf 322 execveat 323 userfaultfd
        """
    ),
    "c00000b7": _table(  # aarch64
        """
        33 mknodat 34 mkdirat 35 unlinkat 37 linkat 40 mount 51 chroot 53 fchmodat 54 fchownat 56 openat 92
        personality 97 unshare 105 init_module 106 delete_module 116 syslog 117 ptrace 129 kill 146 setuid 179 sysinfo
        198 socket 200 bind 201 listen 202 accept 203 connect 220 clone 221 execve 242 accept4 273 finit_module 276
        renameat2 279 memfd_create 280 bpf 281 execveat
        """
    ),
    "40000003": _table("11 execve 358 execveat"),  # i386
}
