"""Conversations of a capture that never ends: given by their close, by silence and by age, on the packets' clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vonggac.reading.communityid import TCP
from vonggac.reading.flows import Flow, Flows, Summary, Told, exchange_told
from vonggac.reading.packets import Packet

_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a conversation is waited for, in ns."""

    closed: int = 2 * _S  # after FIN both ways or a reset: the last acknowledgements still belong to it
    tcp: int = 300 * _S  # without a packet
    other: int = 60 * _S
    age: int = 1800 * _S  # a longer one is given in parts, each but the last marked `cut: age`
    answer: int = 30 * _S  # a question that nobody answers is told alone


class LiveFlows(Flows):
    """The table of a live capture; call `sweep` every second or so, also when no packet comes."""

    _full = "table full"

    def __init__(self, limit: int = 30_000, patience: Patience | None = None) -> None:
        super().__init__(limit)
        self._patience = patience or Patience()

    def add(self, packet: Packet) -> Iterator[Told]:
        """Yield what is finished with this packet."""
        yield from super().add(packet)
        if packet.ends is not None:  # the flow of the packet stands last
            next(reversed(self._flows.values())).seen = packet.time or 0

    def sweep(self, now: int) -> Iterator[Told]:
        """Yield what is over at `now`, ns since 1970; a clock that was set back makes nothing wait longer than once."""
        patience = self._patience
        for flow in list(self._flows.values()):
            if flow.seen > now:
                flow.seen = now
            quiet = now - flow.seen
            if quiet >= patience.closed and (
                flow.closed or quiet >= (patience.tcp if flow.ends.protocol == TCP else patience.other)
            ):
                yield from self._given(flow)
            while flow.waiting and now - (flow.waiting[0].time or 0) >= patience.answer:
                one = flow.waiting.pop(0)
                self._weight -= one.weight
                yield exchange_told(flow, one)

    def flush(self) -> Iterator[Told]:
        """Yield all that runs, the stalest first; what was not closed is marked."""
        while self._flows:
            flow = self._stalest()
            yield from self._given(flow, "" if flow.closed else "stop")

    def summary(self) -> Told:
        """Give what came since the last summary, and begin a new one."""
        told = self._summary.told()
        self._summary = Summary()
        return told

    def __len__(self) -> int:
        return len(self._flows)

    def _over(self, flow: Flow, packet: Packet) -> bool:
        if super()._over(flow, packet):
            return True
        if flow.start is None or packet.time is None or packet.time - flow.start < self._patience.age:
            return False
        flow.cut = "age"
        return True
