"""Reads packets from an interface: an AF_PACKET socket with a ring that the kernel fills, and a filter in the kernel.

Source: packet(7); Documentation/networking/packet_mmap.rst and include/uapi/linux/if_packet.h of Linux (TPACKET_V3, in
the kernel since 3.2; PACKET_IGNORE_OUTGOING since 4.20). Needs CAP_NET_RAW, and only while it is opened.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import socket
import struct
from typing import Final, NamedTuple

from vonggac.reading.bpf import FilterError, compiled

SNAP: Final = 65_600  # bytes kept of a packet: the largest IP packet and what stands before it
RING: Final = 16 << 20  # bytes of kernel memory: what comes while nobody reads
BLOCKS: Final = 8  # into which the ring is cut
ETHERNET, RAW = 1, 101  # link types as pcap files number them


class Frame(NamedTuple):
    """A packet as it was on the wire, its VLAN tag put back."""

    seconds: int  # since 1970, the kernel's clock when it came
    nanoseconds: int
    size: int  # bytes on the wire; `data` may be cut
    data: bytes


class Ring:
    """An open interface. One thread reads it; `drops` may be read from another."""

    def __init__(
        self, interface: str, bpf: str = "", *, promiscuous: bool = False, ring: int = RING, snap: int = SNAP
    ) -> None:
        """Open it; `ring` is rounded up to 8 blocks of at least 128 KiB.

        Raises PermissionError without CAP_NET_RAW, FilterError for a wrong filter, other OSErrors when there is no
        such interface or it is of a kind that is not read.
        """
        self.interface, self.packets, self.drops = interface, 0, 0
        self._memory: mmap.mmap | None = None
        self._block = 0
        self._socket = _opened()
        try:
            self._index = socket.if_nametoindex(interface)
            self.link, self._loopback = _link(self._socket, interface)
            self._prepare(bpf, promiscuous, ring, snap)
        except BaseException:
            self._socket.close()
            raise

    def _prepare(self, bpf: str, promiscuous: bool, ring: int, snap: int) -> None:
        """Set all up before the socket is bound: not one packet comes that the filter did not see."""
        opened = self._socket
        _attach(opened, compiled(bpf, self.link, snap, self.interface), bpf)
        opened.setsockopt(_SOL_PACKET, _VERSION, struct.pack("i", 2))  # TPACKET_V3
        if self._loopback:  # there each packet comes twice: as it goes out and as it comes in
            opened.setsockopt(_SOL_PACKET, _IGNORE_OUTGOING, struct.pack("i", 1))
        size = max(_BLOCK_MIN, 1 << (max(1, ring // BLOCKS) - 1).bit_length())
        self._size = size
        request = struct.pack("7I", size, BLOCKS, _FRAME, size // _FRAME * BLOCKS, _RETIRE_MS, 0, 0)
        opened.setsockopt(_SOL_PACKET, _RX_RING, request)
        self._memory = mmap.mmap(opened.fileno(), size * BLOCKS)
        if promiscuous:
            member = struct.pack("iHH8s", self._index, _PROMISCUOUS, 0, b"")
            opened.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, member)
        opened.bind((self.interface, _ETH_P_ALL))

    def fileno(self) -> int:
        """Give the descriptor to wait at: readable when a block of the ring is full or 60 ms old."""
        return self._socket.fileno()

    def read(self) -> list[Frame]:
        """Give the packets of the next block that is ready; [] when none is."""
        memory = self._memory
        if memory is None:
            return []
        base = self._block * self._size
        status, count, first = _BLOCK.unpack_from(memory, base + 8)
        if not status & 1:  # still the kernel's
            return []
        frames: list[Frame] = []
        at = base + first
        for _ in range(count):
            ahead, seconds, nanoseconds, kept, size, flags, start, _net, _hash, tag, kind = _PACKET.unpack_from(
                memory, at
            )
            data = memory[at + start : at + start + kept]
            if flags & _VLAN_VALID and self.link == ETHERNET:  # the card or the kernel took the tag out
                kind = kind if flags & _VLAN_KIND else 0x8100
                data = data[:12] + kind.to_bytes(2, "big") + tag.to_bytes(2, "big") + data[12:]
                size += 4
            frames.append(Frame(seconds, nanoseconds, size, data))
            at += ahead
        _STATUS.pack_into(memory, base + 8, 0)  # given back
        self._block = (self._block + 1) % BLOCKS
        self.packets += count
        return frames

    def count(self) -> None:
        """Ask the kernel how many packets it had no room for, and add them to `drops`."""
        counted = self._socket.getsockopt(_SOL_PACKET, _STATISTICS, 12)
        self.drops += int(struct.unpack("3I", counted)[1])

    @property
    def down(self) -> bool:
        """Say whether the interface is down; raises OSError when it is gone, also when a new one has its name."""
        self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # ENETDOWN would wake every wait
        try:
            index = socket.if_nametoindex(self.interface)
        except OSError:
            index = 0
        if index != self._index:
            raise OSError(errno.ENODEV, "the interface is gone")
        return not _flags(self._socket, self.interface) & _UP

    def close(self) -> None:
        """Let go of it; may be called twice."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        self._socket.close()


def _opened() -> socket.socket:
    try:
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # protocol 0: nothing comes before bind
    except PermissionError as error:
        msg = (
            "no right to read packets: AmbientCapabilities=CAP_NET_RAW in the systemd unit,"
            " or setcap cap_net_raw+ep on the Python that runs vonggac"
        )
        raise PermissionError(msg) from error


def _attach(opened: socket.socket, code: bytes, bpf: str) -> None:
    """Attach the instructions (struct sock_filter, 8 bytes each)."""
    held = ctypes.create_string_buffer(code, len(code))
    try:
        opened.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HP", len(code) // 8, ctypes.addressof(held)))
    except OSError as error:
        msg = f"filter {bpf!r}: the kernel refuses it: {os.strerror(error.errno or 0)} ({len(code) // 8} instructions)"
        raise FilterError(msg) from error


def _link(opened: socket.socket, interface: str) -> tuple[int, bool]:
    """Give the link type, and whether it is a loopback."""
    kind = int(struct.unpack_from("H", _asked(opened, _SIOCGIFHWADDR, interface), 16)[0])
    if kind not in _LINKS:
        msg = f"interfaces of its kind (ARPHRD {kind}) are not read"
        raise OSError(errno.EOPNOTSUPP, msg)
    return _LINKS[kind], kind == _LOOPBACK


def _flags(opened: socket.socket, interface: str) -> int:
    return int(struct.unpack_from("H", _asked(opened, _SIOCGIFFLAGS, interface), 16)[0])


def _asked(opened: socket.socket, what: int, interface: str) -> bytes:
    return fcntl.ioctl(opened, what, struct.pack("16s24x", interface.encode()))


_BLOCK_MIN: Final = 128 << 10  # a packet must fit into one
_FRAME: Final = 2048  # of no use in version 3, but it is checked
_RETIRE_MS: Final = 60  # how old the first packet of a block gets before the block is given
_ETH_P_ALL: Final = 3
_SOL_PACKET: Final = 263
_ADD_MEMBERSHIP, _RX_RING, _STATISTICS, _VERSION, _IGNORE_OUTGOING = 1, 5, 6, 10, 23
_PROMISCUOUS: Final = 1
_ATTACH_FILTER: Final = 26
_SIOCGIFFLAGS, _SIOCGIFHWADDR = 0x8913, 0x8927
_UP: Final = 1
_VLAN_VALID, _VLAN_KIND = 1 << 4, 1 << 6
_LOOPBACK: Final = 772
#: ARPHRD_ numbers: Ethernet, loopback; and what carries bare IP: tunnels, GRE, sit, none (tun, WireGuard)
_LINKS: Final = {1: ETHERNET, _LOOPBACK: ETHERNET, 768: RAW, 769: RAW, 776: RAW, 778: RAW, 65534: RAW}
#: struct tpacket_hdr_v1 from block_status on: status, packets, offset of the first
_BLOCK: Final = struct.Struct("III")
_STATUS: Final = struct.Struct("I")
#: struct tpacket3_hdr: next, sec, nsec, snaplen, len, status, mac, net, and rxhash, vlan_tci, vlan_tpid
_PACKET: Final = struct.Struct("IIIIIIHHIIH")
