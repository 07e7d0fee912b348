"""The service judged by its own figures (`Own`, with each beat): disk, losses, lag, deaths, damage, clock.

Pure like the fold that it is part of: its only time is the append time. One episode is one alert: what comes back
within six hours is the same one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from vonggac.health import rules
from vonggac.health._trail import AGAIN_S, Fault
from vonggac.health.measure import DOWN_S, Own, Source

_LOW: Final = (0.15, 0.16)  # of the disk free: told below, over above
_FLOOR: Final = (0.05, 0.06)
_COUNTED_S: Final = 60  # what is lost within it is one number
_BEHIND_S: Final = 300
_CATCHING_UP_S: Final = 300  # after a rest there is a backlog; told if it stays so long
_DEATHS: Final = 3
_WITHIN_S: Final = 600
_CLOCK_S: Final = 3_600  # a clock that is set again and again is told once an hour


class Loss(msgspec.Struct, array_like=True):
    """What an intake is losing; times are append times, s since 1970."""

    since: int
    told: int = 0  # 0 = not yet
    kernel: int = 0  # since it was told
    ours: int = 0


class Watch(msgspec.Struct, array_like=True):
    """What is remembered of the service itself."""

    at: int = 0  # of the last beat
    faults: list[Fault] = []  # `rule` is what is wrong: `disk`, `behind detect`
    losses: dict[str, Loss] = {}
    behind: dict[str, int] = {}  # group: since when
    died: dict[str, int] = {}  # as the last beat said
    deaths: dict[str, list[int]] = {}  # when, of the last ten minutes
    damaged: int = 0  # files, as told
    hurt: int = 0  # when
    clock: int = 0  # when its setting was told

    def judge(self, own: Own, at: int) -> Iterator[bytes]:
        """Take the figures of a beat; gives the alerts that they bring about."""
        if at - self.at > DOWN_S:
            self.behind.clear()
        self.at = max(self.at, at)
        yield from self._disk(own, at)
        yield from self._lost(own.lost, at)
        yield from self._behind(own.behind, at)
        yield from self._deaths(own.died, at)
        yield from self._damage(own.damaged, at)
        if own.clock and (not self.clock or at - self.clock >= _CLOCK_S):
            self.clock = at
            yield _alert(rules.CLOCK_SET, "", at, at, clock_message(own.clock, at), {"seconds": own.clock})

    def _disk(self, own: Own, at: int) -> Iterator[bytes]:
        low = self._told("disk", at, begins=own.disk < _LOW[0], ends=own.disk >= _LOW[1])
        stands = own.full or own.kept or own.disk < _FLOOR[0]
        floor = self._told("disk at its floor", at, begins=stands, ends=not stands and own.disk >= _FLOOR[1])
        matched: dict[str, object] = {"free_share": own.disk}
        if floor:
            message = floor_message(own.disk, at, waits=not own.kept or own.full)
            yield _alert(rules.DISK, "floor", at, at, message, matched, "high")
        elif low:
            yield _alert(rules.DISK, "", at, at, disk_message(own.disk, at), matched)

    def _lost(self, lost: Mapping[str, tuple[int, int]], at: int) -> Iterator[bytes]:
        for intake, (kernel, ours) in lost.items():
            loss = self.losses.setdefault(intake, Loss(at))
            loss.kernel += kernel
            loss.ours += ours
        for intake, loss in list(self.losses.items()):
            since = loss.told or loss.since
            if at - since < (AGAIN_S if loss.told else _COUNTED_S):
                continue
            if not loss.kernel and not loss.ours:
                del self.losses[intake]
                continue
            matched: dict[str, object] = {"intake": intake, "kernel": loss.kernel, "own": loss.ours}
            yield _alert(rules.DROPPED, intake, since, at, lost_message(intake, loss, since), matched)
            self.losses[intake] = Loss(loss.since, at)

    def _behind(self, behind: Mapping[str, float], at: int) -> Iterator[bytes]:
        over = {group: age for group, age in behind.items() if age > _BEHIND_S}
        self.behind = {group: self.behind.get(group, at) for group in over}
        for group, age in over.items():
            since = self.behind[group]
            stays = at - since >= _CATCHING_UP_S
            if self._told(f"behind {group}", at, begins=stays, ends=False):
                matched: dict[str, object] = {"group": group, "seconds": age}
                yield _alert(rules.BEHIND, group, at, at, behind_message(group, age, since), matched)
        for fault in self.faults:
            group = fault.rule.removeprefix("behind ")
            if group != fault.rule and not fault.until and behind.get(group, 0) <= _BEHIND_S / 2:
                fault.until = at

    def _deaths(self, died: Mapping[str, int], at: int) -> Iterator[bytes]:
        for role, total in died.items():
            before = self.died.get(role, 0)
            new = total - before if total >= before else total  # the supervisor began to count anew
            self.deaths[role] = [*self.deaths.get(role, ()), *[at] * min(new, _DEATHS)]
        self.died = dict(died)
        for role, times in list(self.deaths.items()):
            recent = [one for one in times if at - one < _WITHIN_S][-_DEATHS:]
            if recent:
                self.deaths[role] = recent
            else:
                del self.deaths[role]
            if self._told(f"restarts {role}", at, begins=len(recent) >= _DEATHS, ends=not recent):
                matched: dict[str, object] = {"role": role, "times": len(recent)}
                yield _alert(rules.RESTARTS, role, at, at, deaths_message(role, recent[0]), matched)

    def _damage(self, files: int, at: int) -> Iterator[bytes]:
        if files > self.damaged and at > self.hurt:
            self.damaged, self.hurt = files, at
            yield _alert(rules.DAMAGED, "", at, at, damaged_message(files), {"files": files})
        self.damaged = min(files, self.damaged)

    def _told(self, what: str, at: int, *, begins: bool, ends: bool) -> bool:
        """Note whether something is wrong; True when it is a new episode, which deserves an alert."""
        fault = next((one for one in self.faults if one.rule == what), None)
        if fault is not None and not fault.until:
            if ends:
                fault.until = at
            return False
        if not begins:
            return False
        if fault is not None and at - fault.until < AGAIN_S:
            fault.until = 0
            return False
        self.faults = [*(one for one in self.faults if one.rule != what), Fault(what, at)]
        return True


def _alert(
    rule: str, what: str, slot: int, at: int, message: str, matched: Mapping[str, object], level: str | None = None
) -> bytes:
    return rules.alert(rule, Source("vonggac", "", what), "", slot, at, message, matched, level=level)


def disk_message(free: float, at: int) -> str:
    """Say that the disk becomes full."""
    return (
        f"{free:.1%} of the disk are free since {rules.local(at)}. Below 10 % the oldest events are deleted down to the"
        " floor of retention, below 5 % nothing more is taken in. Add disk, or free some: `vonggac check` says what"
        " lies there"
    )


def floor_message(free: float, at: int, *, waits: bool) -> str:
    """Say that the disk is full."""
    if waits:
        now = "nothing more is taken in: files, TCP and HTTP wait, what comes by UDP or is captured is lost"
    else:
        now = "nothing older may be deleted: all that is left is younger than the floor of retention"
    return f"{free:.1%} of the disk are free since {rules.local(at)}, and {now}. Add disk or free some now"


def lost_message(intake: str, loss: Loss, since: int) -> str:
    """Say how many events were lost, where, and what helps there."""
    return (
        f"{intake}: {loss.kernel + loss.ours:,} lost since {rules.local(since)}: {loss.kernel:,} by the kernel, whose"
        f" buffer was full, {loss.ours:,} by us. {_remedy(intake)}; look"
        " whether disk or processor is at its limit"
    )


def _remedy(intake: str) -> str:
    return next((remedy for start, remedy in _REMEDIES if intake.startswith(start)), _REMEDIES[-1][1])


_REMEDIES: Final = (
    ("syslog-udp", "Send by TCP or TLS, which wait; enlarge net.core.rmem_max (33554432)"),
    ("capture-", "Leave out with capture.filter what no rule looks at (backups, video)"),
    ("", "The service's log says when and why"),
)


def behind_message(group: str, age: float, since: int) -> str:
    """Say that a task does not keep up."""
    late = {"detect": "alerts come so late", "store": "searches do not show what came since"}.get(group, "it waits")
    return (
        f"{group} is {rules.span(age / 60)} behind with what came in, since {rules.local(since)}: {late}; nothing is"
        " lost. Does the role run (`vonggac check`), does more come in than the machine can judge, is the disk slow?"
    )


def deaths_message(role: str, since: int) -> str:
    """Say that a role dies and dies."""
    return (
        f"{role} died {_DEATHS} times since {rules.local(since)} and was started again each time; nothing acknowledged"
        " is lost, but its work waits meanwhile. The service's log (journalctl -u vonggac) names each reason"
    )


def damaged_message(files: int) -> str:
    """Say that files of the store are damaged."""
    return (
        f"{files} files of the event store are damaged: what is in them is in no answer. `vonggac check` names them;"
        " put them back from a backup, then `vonggac check --deep`; look after the disk (smartctl -a, dmesg)"
    )


def clock_message(seconds: float, at: int) -> str:
    """Say that the machine's clock was set."""
    way = "forward" if seconds > 0 else "back"
    return (
        f"the clock of this machine was set {way} by {rules.span(abs(seconds) / 60)} at {rules.local(at)}. Who did it?"
        " Look at the time source (chronyc tracking): times of events without one of their own go by it"
    )
