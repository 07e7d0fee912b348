"""Live packet capture of one interface: the flows, DNS, HTTP and TLS events that a capture file of it would give.

Kernel ring -> tshark without rights -> conversations -> inlet, in one thread. Who is too slow lets the ring fill: what
the kernel then drops is counted, and told in the hourly `network.capture` event. An interface that goes down is waited
for; one that is gone ends `run` with an OSError.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

from vonggac.event import Bad, Event
from vonggac.intake.inlet import Closed, Delivery, Inlet
from vonggac.reading.afpacket import BLOCKS, RING, Ring
from vonggac.reading.bpf import FilterError
from vonggac.reading.dissector import Dissector
from vonggac.reading.flows import Told
from vonggac.reading.liveflows import LiveFlows
from vonggac.reading.tshark import rows_command

_BATCH: Final = 500
_TICK_S: Final = 0.5
_TOLD_S: Final = 3600.0
_END_S: Final = 1.0  # at stop, for what is read and not yet dissected


@dataclass(slots=True)
class _Counts:
    """What `figures` gives; written by the intake's thread alone."""

    packets: int = 0
    bytes: int = 0
    drops: int = 0  # of rings that are closed
    told_drops: int = 0
    unread: int = 0  # read from the ring and never dissected
    restarts: int = 0
    flows: int = 0
    up: bool = False


class Packets:
    """The intake of an interface; see vonggac.intake.inlet for what is called when."""

    def __init__(
        self,
        interface: str,
        bpf: str = "",
        unit: str = "",
        *,
        promiscuous: bool = False,
        ring: int = RING,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`clock` gives ns since 1970, as the kernel's does: it counts while no packet comes."""
        self.name = f"capture-{interface}"
        self._interface, self._bpf, self._unit, self._clock = interface, bpf, unit, clock
        self._promiscuous, self._size = promiscuous, ring
        self._ring: Ring | None = None
        self._count = _Counts()

    def open(self) -> None:
        """Take the ring; raises OSError or FilterError (a ValueError) in one line that names the interface."""
        where = f"capture of {self._interface}"
        self.close()
        try:
            rows_command()
            self._ring = Ring(self._interface, self._bpf, promiscuous=self._promiscuous, ring=self._size)
        except FilterError as error:
            msg = f"{where}: {error}"
            raise FilterError(msg) from error
        except OSError as error:
            msg = f"{where}: {error.strerror or error}"
            raise type(error)(msg) from error

    def run(self, inlet: Inlet, marks: Mapping[str, bytes], stop: threading.Event) -> None:
        """Capture until `stop`: then what is read is dissected, and all conversations are given."""
        if self._ring is None:
            self.open()
        assert self._ring is not None  # noqa: S101  for the type checker
        try:
            work = _Work(self._interface, self._unit, self._ring, inlet, self._count, self._clock)
            with closing(work):
                work.run(stop)
        except Closed:
            return
        finally:
            self.close()

    def figures(self) -> Mapping[str, float]:
        """Give counters since the start, and how many conversations run."""
        count, ring = self._count, self._ring
        kernel = count.drops + (ring.drops if ring else 0)
        return {
            "packets_total": count.packets,
            "bytes_total": count.bytes,
            "dropped_kernel_total": kernel,
            "dropped_total": count.unread,
            "dissector_restarts_total": count.restarts,
            "flows": count.flows,
            "up": float(count.up),
        }

    def close(self) -> None:
        """Let go of the ring."""
        ring, self._ring = self._ring, None
        if ring is not None:
            self._count.drops += ring.drops
            ring.close()
        self._count.up = False


class _Work:
    """One run: ring, dissector, conversations, and what is not yet handed over."""

    def __init__(
        self, interface: str, unit: str, ring: Ring, inlet: Inlet, count: _Counts, clock: Callable[[], int]
    ) -> None:
        self._interface, self._unit, self._ring, self._inlet = interface, unit, ring, inlet
        self._count, self._clock = count, clock
        self._dissector = Dissector(interface, ring.link)
        self._flows = LiveFlows()
        self._before = (count.unread, count.restarts)
        self._out: list[Event | Bad] = []
        self._newest = 0
        self._tick = self._told = time.monotonic()
        self._up = True

    def run(self, stop: threading.Event) -> None:
        """Read until `stop`, then give all; raises Closed, and OSError when the interface is gone."""
        try:
            self._look()
            while not stop.is_set():
                self._turn(0.1, watch=self._up and not self._dissector.full)
                if time.monotonic() - self._tick >= _TICK_S:
                    self._every_tick()
        except OSError as error:
            self._end(gone=True)
            msg = f"capture of {self._interface}: {error.strerror or error}"
            raise OSError(msg) from error
        self._end()

    def close(self) -> None:
        self._dissector.close()

    def _turn(self, wait_s: float, *, watch: bool) -> None:
        packets, ready = self._dissector.turn(wait_s, self._ring.fileno() if watch else -1)
        if ready and not self._take():
            self._look()
        for packet in packets:
            if isinstance(packet, Bad):
                self._out.append(packet)
                continue
            self._newest = packet.time or self._newest
            self._tell(self._flows.add(packet))
        if len(self._out) >= _BATCH:
            self._put()

    def _take(self) -> bool:
        """Take a block from the ring; False when none was ready."""
        frames = self._ring.read()
        self._dissector.give(frames)
        self._count.packets += len(frames)
        self._count.bytes += sum(frame.size for frame in frames)
        return bool(frames)

    def _every_tick(self) -> None:
        """Give what is over, also when no packet comes. The packets' clock counts as long as some wait."""
        self._tick = time.monotonic()
        self._look()
        self._tell(self._flows.sweep(self._clock() if self._dissector.idle else self._newest))
        self._numbers()
        if self._tick - self._told >= _TOLD_S:
            self._summary()
        self._put()

    def _numbers(self) -> None:
        self._ring.count()
        count, dissector = self._count, self._dissector
        count.unread, count.restarts = self._before[0] + dissector.lost, self._before[1] + dissector.restarts
        count.flows, count.up = len(self._flows), self._up

    def _look(self) -> None:
        """Name it once that the interface is down; raises OSError when it is gone."""
        down = self._ring.down
        if down and self._up:
            self._out.append(Bad(self._interface, "", "the interface is down: nothing is captured until it is up"))
        self._up = not down

    def _end(self, *, gone: bool = False) -> None:
        end = time.monotonic() + _END_S
        self._turn(0.1, watch=not gone)  # the block that the kernel is filling comes within its time
        for _ in range(BLOCKS):
            if not self._take():
                break
        while not self._dissector.idle and time.monotonic() < end:
            self._turn(0.1, watch=False)
        self._dissector.give_up()
        self._turn(0, watch=False)
        self._tell(self._flows.flush())
        self._numbers()
        self._summary()
        self._put()

    def _tell(self, told: Iterable[Told]) -> None:
        for one in told:
            one.doc["observer"] = {"ingress": {"interface": {"name": self._interface}}}
            self._out.append(Event(os.urandom(16).hex(), one.doc, ("pcap",)))

    def _summary(self) -> None:
        """Tell what came since the last time, and what was lost: an event that can be searched for."""
        self._told = time.monotonic()
        told = self._flows.summary()
        lost = self._count.drops + self._ring.drops + self._count.unread
        told.doc["pcap"]["dropped"] = lost - self._count.told_drops
        self._count.told_drops = lost
        self._tell([told])

    def _put(self) -> None:
        if self._out:
            records, self._out = self._out, []
            self._inlet.put(Delivery("pcap", records, self._interface, self._unit))
            self._dissector.rest()
