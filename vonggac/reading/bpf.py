"""Compiles a packet filter as tcpdump writes it ("tcp port 80 and not host 192.0.2.1") by libpcap, through ctypes.

libpcap stands wherever tshark stands: it is a dependency of it. Source: pcap-filter(7), pcap_compile(3PCAP).
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache
from typing import Any, Final

_ETHERNET: Final = 1
_NOT_UP: Final = -9  # PCAP_ERROR_IFACE_NOT_UP
_NO_MASK: Final = 0xFFFFFFFF  # PCAP_NETMASK_UNKNOWN
_LONGEST: Final = 64 << 10
#: link types of files (LINKTYPE_) -> those of libpcap on Linux (DLT_): Ethernet, bare IP
_DLT: Final = {1: 1, 101: 12}
_NAMES: Final = ("libpcap.so.0.8", "libpcap.so.1")  # Debian's, the others'


class FilterError(ValueError):
    """A filter that cannot be used: the message names it and says why."""


class _Program(ctypes.Structure):
    """Struct bpf_program: how many instructions, and where they are."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


def compiled(text: str, link: int, snap: int, interface: str = "") -> bytes:
    """Give the instructions of a filter, 8 bytes each (struct sock_filter); an empty one takes every packet.

    With `interface` it is compiled for a live capture of it, which knows that the kernel takes VLAN tags out of
    packets (`vlan 10` would never be true otherwise); that needs CAP_NET_RAW. Raises FilterError, and OSError when
    there is no libpcap or it cannot open the interface.
    """
    if not text.strip():
        return _TAKE + snap.to_bytes(4, _ORDER)  # ret #snap
    if "\0" in text or len(text) > _LONGEST:
        msg = f"filter {text[:80]!r}: not a text that a filter can be"
        raise FilterError(msg)
    pcap = _library()
    handle = _live(pcap, interface, snap) if interface and link == _ETHERNET else pcap.pcap_open_dead(_DLT[link], snap)
    program = _Program()
    try:
        if pcap.pcap_compile(handle, ctypes.byref(program), text.encode(), 1, _NO_MASK) != 0:
            reason = pcap.pcap_geterr(handle).decode("utf-8", "replace")
            msg = f"filter {text!r}: {reason}"
            raise FilterError(msg)
        code = ctypes.string_at(program.instructions, program.length * 8)
        pcap.pcap_freecode(ctypes.byref(program))
    finally:
        pcap.pcap_close(handle)
    return code


def _live(pcap: Any, interface: str, snap: int) -> int:
    """Open a handle of an Ethernet interface; while that is down the loopback's gives the same instructions."""
    error = ctypes.create_string_buffer(256)
    reason = ""
    for name in (interface, "lo"):
        handle: int | None = pcap.pcap_create(name.encode(), error)
        if not handle:
            raise OSError(error.value.decode("utf-8", "replace"))
        pcap.pcap_set_snaplen(handle, snap)
        pcap.pcap_set_buffer_size(handle, snap * 4)  # it never reads
        status = pcap.pcap_activate(handle)
        if status >= 0 and pcap.pcap_datalink(handle) == _DLT[_ETHERNET]:
            return handle
        reason = reason or pcap.pcap_geterr(handle).decode("utf-8", "replace")
        pcap.pcap_close(handle)
        if status != _NOT_UP:
            break
    raise OSError(reason or "libpcap takes it for no Ethernet")


@cache
def _library() -> Any:
    pcap: Any = None
    for name in _NAMES:
        with suppress(OSError):
            pcap = ctypes.CDLL(name)
            break
    if pcap is None:
        msg = "libpcap is not installed: apt-get install libpcap0.8"
        raise OSError(msg)
    handle, text = ctypes.c_void_p, ctypes.c_char_p
    program = ctypes.POINTER(_Program)
    for function, result, arguments in (
        ("pcap_open_dead", handle, [ctypes.c_int, ctypes.c_int]),
        ("pcap_create", handle, [text, ctypes.c_char_p]),
        ("pcap_set_snaplen", ctypes.c_int, [handle, ctypes.c_int]),
        ("pcap_set_buffer_size", ctypes.c_int, [handle, ctypes.c_int]),
        ("pcap_activate", ctypes.c_int, [handle]),
        ("pcap_datalink", ctypes.c_int, [handle]),
        ("pcap_compile", ctypes.c_int, [handle, program, text, ctypes.c_int, ctypes.c_uint32]),
        ("pcap_geterr", text, [handle]),
        ("pcap_freecode", None, [program]),
        ("pcap_close", None, [handle]),
    ):
        made = getattr(pcap, function)
        made.restype, made.argtypes = result, arguments
    return pcap


_ORDER: Final = "little" if ctypes.c_uint16.from_buffer_copy(b"\1\0").value == 1 else "big"
_TAKE: Final = (6).to_bytes(2, _ORDER) + b"\0\0"  # BPF_RET | BPF_K, no jumps
