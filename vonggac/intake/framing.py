r"""Where messages begin and end in a stream of syslog over TCP or TLS: bytes in, messages out, bounded whatever comes.

Sources: RFC 6587 section 3.4.1 (octet counting: `14 <13>hello world`), 3.4.2 (a trailer: `\n`, and NUL of some
senders), RFC 5425 section 4.3 (octet counting). Real senders mix them, so each message says anew which it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LIMIT: Final = 256 << 10  # bytes of a message: a Windows event with a long script block, as JSON, is above 64 KiB
#: a longer number is no count: nobody has to send ten megabytes of anything before the next message is seen
_COUNT: Final = re.compile(rb"([1-9][0-9]{0,6}) (?=[<{])")
_MAYBE_COUNT: Final = re.compile(rb"[1-9][0-9]{0,6} ?")
_TRAILERS: Final = re.compile(rb"[\n\0]")
_NONE: Final = -1


@dataclass(frozen=True, slots=True)
class Cut:
    """A message that is not whole: what is there of it (at most LIMIT bytes, perhaps none), and why not all."""

    start: bytes
    reason: str


Message = bytes | Cut


class Framer:
    """One connection's stream. What comes out does not depend on how the stream is cut into `feed`s."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._rest = bytearray()  # of the message that has begun
        self._line = False  # it ends with a trailer; else it is not known yet, or counted
        self._left = _NONE  # bytes still to come of a counted one
        self._count = 0  # of how many
        self._skip = False  # its start is out already: the rest is let go

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Message]:
        """Give the messages that end in `data`, without count and trailer; empty ones are none."""
        out: list[Message] = []
        at = 0
        if self._left != _NONE:
            at = self._counted(data, 0, out)
        elif self._line:
            at = self._trailed(data, 0, data.find(b"\0") >= 0, out)
        elif self._rest:
            data = bytes(self._rest) + data
            self._rest.clear()
        nul = data.find(b"\0", at) >= 0
        end = len(data)
        while at < end:
            if 0x31 <= data[at] <= 0x39:  # 1 to 9
                if match := _COUNT.match(data, at):
                    self._left = self._count = int(match[1])
                    at = self._counted(data, match.end(), out)
                    continue
                if end - at <= 8 and _MAYBE_COUNT.fullmatch(data, at):  # `14`: the rest will tell
                    self._rest += data[at:]
                    break
            if not nul and end - at <= self._limit:  # the usual case, written out: a third of the time
                stop = data.find(b"\n", at)
                if stop >= 0:
                    if line := data[at:stop].strip(b"\r"):
                        out.append(line)
                    at = stop + 1
                    continue
            self._line = True
            at = self._trailed(data, at, nul, out)
        return out

    def end(self) -> list[Message]:
        """Give what the closed connection left: a line without its trailer is whole, a counted message is not."""
        rest, self._rest = bytes(self._rest), bytearray()
        left, self._left = self._left, _NONE
        line, self._line = self._line, False
        skipped, self._skip = self._skip, False
        if left != _NONE:
            got = self._count - left
            return [] if skipped else [Cut(rest, f"connection ended after {got:,} of {self._count:,} bytes")]
        if line:
            rest = rest.strip(b"\r")
            return [rest] if rest and not skipped else []
        return [Cut(b"", f"connection ended after {rest.decode('ascii')!r}, the count of a message")] if rest else []

    def _counted(self, data: bytes, at: int, out: list[Message]) -> int:
        """Take what is there of a counted message; give where it ends in `data`."""
        stop = min(len(data), at + self._left)
        self._left -= stop - at
        if not self._left and not self._skip and not self._rest and self._count <= self._limit:
            message = data[at:stop]
        else:
            self._keep(data, at, stop, out)
            if self._left:
                return stop
            message = bytes(self._rest)
            self._rest.clear()
        self._left, self._skip = _NONE, False
        if message := message.strip(b"\n\r\0"):
            out.append(message)
        return stop

    def _trailed(self, data: bytes, at: int, nul: bool, out: list[Message]) -> int:
        """Take what is there of a message with a trailer; give where the next one begins in `data`."""
        if nul:
            match = _TRAILERS.search(data, at)
            stop = match.start() if match else -1
        else:
            stop = data.find(b"\n", at)
        self._keep(data, at, stop if stop >= 0 else len(data), out)
        if stop < 0:
            return len(data)
        if line := bytes(self._rest).strip(b"\r"):
            out.append(line)
        self._rest.clear()
        self._line = self._skip = False
        return stop + 1

    def _keep(self, data: bytes, at: int, stop: int, out: list[Message]) -> None:
        """Keep what is there of a message, unless it is above the limit: then its start goes out, and no more."""
        if self._skip:
            return
        room = self._limit - len(self._rest)
        if stop - at <= room:
            self._rest += data[at:stop]
            return
        self._rest += data[at : at + room]
        reason = f"message is above the limit of {self._limit:,} bytes: the rest of it is left out"
        out.append(Cut(bytes(self._rest), reason))
        self._rest.clear()
        self._skip = True
