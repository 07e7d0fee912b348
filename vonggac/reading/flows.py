"""Packets to conversations: one flow a 5-tuple, with the exchanges inside of it; bounded, whatever a capture holds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from vonggac.reading.bodies import put
from vonggac.reading.communityid import ICMP, ICMP6, SCTP, TCP, UDP, community_id
from vonggac.reading.exchanges import Exchange, exchanges
from vonggac.reading.packets import TRANSPORTS, Ends, Packet
from vonggac.reading.times import from_epoch

FIN, SYN, RST, ACK = 1, 2, 4, 16
_WEIGHT: Final = 16 << 20  # characters of all questions that wait
_STACKS: Final = 50  # stacks of layers that a summary names
_STACKS_KNOWN: Final = 2000


@dataclass(frozen=True, slots=True)
class Told:
    """What becomes an event: its kind and the packet and index that identify it."""

    kind: str  # "flow", "dns", "http", "tls", "capture"
    frame: int
    index: int
    doc: dict[str, Any]


@dataclass(slots=True)
class Flow:
    """A conversation; index 0 counts what its source sent, 1 what came back."""

    ends: Ends
    two_ways: bool
    frame: int
    last_frame: int
    start: int | None
    end: int | None
    packets: list[int] = field(default_factory=lambda: [0, 0])
    sizes: list[int] = field(default_factory=lambda: [0, 0])
    flags: list[int] = field(default_factory=lambda: [0, 0])
    protocol: str | None = None
    tunnels: tuple[str, ...] = ()
    waiting: list[Exchange] = field(default_factory=list)
    id: str | None = None
    seen: int = 0  # ns, of a live capture: when its last packet came
    cut: str = ""  # why it was given while it ran: "age", "table full", "stop"

    @property
    def closed(self) -> bool:
        """Say whether TCP ended it: a reset, or FIN both ways."""
        one, two = self.flags
        return bool((one | two) & RST or one & two & FIN)


class Flows:
    """The table of running conversations; at `limit` the stalest is given up as an event."""

    _full = ""  # the mark of what is given up for want of room

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._flows: OrderedDict[Ends, Flow] = OrderedDict()
        self._weight = 0
        self._summary = Summary()

    def add(self, packet: Packet) -> Iterator[Told]:
        """Yield what is finished with this packet."""
        self._summary.add(packet)
        if packet.ends is None:
            return
        flow, mine = self._flow(packet, packet.ends)
        if flow is not None and self._over(flow, packet):
            yield from self._given(flow)
            flow = None
        if flow is None:
            flow, mine = self._new(packet, packet.ends)
            self._summary.flows += 1
            if len(self._flows) > self._limit:
                yield from self._given(self._stalest(), self._full)
        else:
            self._flows.move_to_end(flow.ends)
        _count(flow, packet, 0 if mine else 1)
        if packet.protocol:
            before = _weight(flow)
            for done in exchanges(packet, flow.waiting):
                yield exchange_told(flow, done)
            self._weight += _weight(flow) - before
            while self._weight > _WEIGHT and flow.waiting:
                self._weight -= flow.waiting[0].weight
                yield exchange_told(flow, flow.waiting.pop(0))

    def end(self) -> Iterator[Told]:
        """Yield all that still runs, the stalest first, and then a summary of the capture."""
        while self._flows:
            yield from self._given(self._stalest())
        yield self._summary.told()

    def _over(self, flow: Flow, packet: Packet) -> bool:
        """Say whether the packet belongs to another conversation: the ports are used again."""
        return flow.closed and packet.flags & (SYN | ACK) == SYN

    def _stalest(self) -> Flow:
        return next(iter(self._flows.values()))

    def _flow(self, packet: Packet, ends: Ends) -> tuple[Flow | None, bool]:
        """Find the conversation of a packet, and say whether its source sent the packet."""
        if flow := self._flows.get(ends):
            return flow, True
        return (self._flows.get(ends.turned()) if packet.two_ways else None), False

    def _new(self, packet: Packet, ends: Ends) -> tuple[Flow, bool]:
        """Begin a conversation; one whose first packet is a SYN/ACK was begun by the other side."""
        mine = packet.flags & (SYN | ACK) != SYN | ACK
        ends = ends if mine else ends.turned()
        flow = Flow(ends, packet.two_ways, packet.number, packet.number, packet.time, packet.time)
        flow.tunnels = packet.tunnels
        self._flows[ends] = flow
        return flow, mine

    def _given(self, flow: Flow, cut: str = "") -> Iterator[Told]:
        flow.cut = flow.cut or cut
        del self._flows[flow.ends]
        self._weight -= _weight(flow)
        for waiting in flow.waiting:
            yield exchange_told(flow, waiting)
        yield _flow(flow)


def _weight(flow: Flow) -> int:
    return sum(one.weight for one in flow.waiting)


def _count(flow: Flow, packet: Packet, side: int) -> None:
    flow.packets[side] += 1
    flow.sizes[side] += packet.size
    flow.flags[side] |= packet.flags
    flow.last_frame = packet.number
    flow.protocol = flow.protocol or packet.protocol
    if (time := packet.time) is not None:
        flow.start = time if flow.start is None else min(flow.start, time)
        flow.end = time if flow.end is None else max(flow.end, time)


# ------------------------------------------------------------------- documents


def _flow(flow: Flow) -> Told:
    doc = _doc(flow, flow.ends, "flow", "network-flow", flow.start)
    put(doc, "network.protocol", flow.protocol)
    doc["source"]["bytes"], doc["destination"]["bytes"] = flow.sizes
    own: dict[str, Any] = {
        "first_frame": flow.frame,
        "last_frame": flow.last_frame,
        "packets": sum(flow.packets),
        "source_packets": flow.packets[0],
        "destination_packets": flow.packets[1],
    }
    if flow.start is not None and flow.end is not None:
        doc["event"]["duration"] = flow.end - flow.start
        put(own, "end", time_of(flow.end))
    if flow.ends.protocol == TCP:
        own["source_flags"], own["destination_flags"] = map(_flags, flow.flags)
    if flow.ends.protocol in (ICMP, ICMP6) and flow.ends.sport >= 0:
        own["icmp_type"] = flow.ends.sport
        if not flow.two_ways:
            own["icmp_code"] = flow.ends.dport
    if flow.tunnels:
        own["tunnels"] = list(flow.tunnels)
    if flow.cut:
        own["cut"] = flow.cut
    doc["pcap"] = own
    return Told("flow", flow.frame, 0, doc)


def exchange_told(flow: Flow, done: Exchange) -> Told:
    """Give the event of a question, with its answer if one came."""
    doc = _doc(flow, done.ends, done.kind, done.action, done.time)
    doc["network"]["protocol"] = done.protocol
    for name, value in done.fields.items():
        put(doc, name, value)
    doc["pcap"] = {"frame": done.frame, **done.own}
    return Told(done.kind, done.frame, done.index, doc)


def _doc(flow: Flow, ends: Ends, dataset: str, action: str, time: int | None) -> dict[str, Any]:
    """Give what all events of a conversation have."""
    event = {
        "kind": "event",
        "module": "network",
        "dataset": f"network.{dataset}",
        "category": ["network"],
        "action": action,
    }
    network: dict[str, Any] = {"transport": TRANSPORTS.get(ends.protocol, str(ends.protocol))}
    if flow.id is None:
        flow.id = _community_id(flow)
    if flow.id:
        network["community_id"] = flow.id
    doc: dict[str, Any] = {"event": event, "network": network}
    put(doc, "@timestamp", time_of(time))
    doc["source"], doc["destination"] = {"ip": ends.source}, {"ip": ends.target}
    if ends.protocol in _WITH_PORTS and ends.sport >= 0:
        doc["source"]["port"], doc["destination"]["port"] = ends.sport, ends.dport
    return doc


def _community_id(flow: Flow) -> str:
    """Give the id, or nothing for a fragment: it belongs to a conversation whose ports it does not say."""
    ends = flow.ends
    known = ends.sport >= 0 and ends.dport >= 0
    if ends.protocol < 0 or (not known and ends.protocol in (*_WITH_PORTS, ICMP, ICMP6)):
        return ""
    ports = (ends.sport, ends.dport) if known else None
    return community_id(ends.protocol, ends.source, ends.target, ports, two_ways=flow.two_ways)


def time_of(nanoseconds: int | None) -> str | None:
    """Write a packet's time, to the microsecond; None beyond the year 9999."""
    if nanoseconds is None:
        return None
    try:
        return from_epoch(f"{nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000:09d}")
    except ValueError:
        return None


def _flags(bits: int) -> str:
    """Write TCP flags as letters: `SAF`."""
    return "".join(letter for place, letter in _LETTERS if bits & place)


_LETTERS: Final = ((2, "S"), (16, "A"), (8, "P"), (32, "U"), (1, "F"), (4, "R"), (64, "E"), (128, "C"))
_WITH_PORTS: Final = (TCP, UDP, SCTP)


@dataclass(slots=True)
class Summary:
    """What a capture holds in all: so that packets that are no IP are named too."""

    packets: int = 0
    size: int = 0
    flows: int = 0
    start: int | None = None
    end: int | None = None
    no_ip: int = 0
    stacks: dict[str, int] = field(default_factory=dict)

    def add(self, packet: Packet) -> None:
        """Count a packet."""
        self.packets += 1
        self.size += packet.size
        if (time := packet.time) is not None:
            self.start = time if self.start is None else min(self.start, time)
            self.end = time if self.end is None else max(self.end, time)
        self.no_ip += packet.ends is None
        stack = packet.stack
        if stack in self.stacks or len(self.stacks) < _STACKS_KNOWN:
            self.stacks[stack] = self.stacks.get(stack, 0) + 1

    def told(self) -> Told:
        """Give it as an event."""
        event: dict[str, Any] = {"kind": "event", "module": "network", "dataset": "network.capture"}
        event |= {"category": ["network"], "action": "capture-read"}
        doc: dict[str, Any] = {"event": event}
        put(doc, "@timestamp", time_of(self.start))
        own: dict[str, Any] = {"packets": self.packets, "bytes": self.size, "flows": self.flows, "no_ip": self.no_ip}
        if self.start is not None and self.end is not None:
            event["duration"] = self.end - self.start
            put(own, "end", time_of(self.end))
        most = sorted(self.stacks.items(), key=lambda item: (-item[1], item[0]))[:_STACKS]
        own["stacks"] = [{"layers": layers[:1000], "packets": packets} for layers, packets in most]
        doc["pcap"] = own
        return Told("capture", 0, 0, doc)
