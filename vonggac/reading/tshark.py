"""Runs `tshark -T fields` over a capture and gives packets: bounded, without rights, the bytes through a pipe."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from typing import BinaryIO, Final, cast

from vonggac.event import Bad
from vonggac.ports import Source
from vonggac.reading.packets import BETWEEN, FIELDS, Packet, packet
from vonggac.reading.programs import Bounds, Program, find
from vonggac.reading.source import READ_ERRORS

#: what tshark can read from a pipe; for all else it must seek
_PIPED: Final = (
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\xc3\xd4",
    b"\x4d\x3c\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x0a\x0d\x0d\x0a",
)
_ROW: Final = 1 << 20  # bytes of one packet's row
#: packets after which tshark forgets what it knows of streams, or a large capture would fill its memory: 260,000
#: packets of small HTTP streams took 450 MB, and with this 280
_SESSION: Final = 100_000
#: Joining the segments of a stream costs time that grows with the square of its length in hostile captures: it stays
#: on only where our events need it, a request's head, a hello, a DNS message.
_JOINED: Final = frozenset(
    (
        "tcp.desegment_tcp_streams",
        "tls.desegment_ssl_records",
        "http.desegment_headers",
        "dns.desegment_dns_messages",
        "quic.reassemble_crypto_out_of_order",
    )
)
_JOINS: Final = re.compile(
    r"^#?([a-z0-9_-]+\.[a-z0-9_]*(?:deseg|reass|defrag|dechunk|decompress)[a-z0-9_]*): TRUE$", re.M
)


def base_command() -> list[str]:
    """Give `tshark -n` with all joining off that is not needed; raises MissingProgram."""
    program = find("tshark")
    return [program, "-n", *_about(program)[0]]


def noise() -> tuple[str, ...]:
    """Give the lines that tshark writes to standard error whatever it does ("Running as user root …")."""
    return (*_about(find("tshark"))[1], "resetting session.")


def rows_command() -> list[str]:
    """Give the command that writes a row a packet; `-r` and what it reads are to follow. Raises MissingProgram."""
    command = [*base_command(), "-M", str(_SESSION), "-T", "fields"]
    command += ["-E", "separator=/t", "-E", "occurrence=a", "-E", f"aggregator={BETWEEN}"]
    for name in FIELDS:
        command += ["-e", name]
    return command


class Rows:
    """Cuts what tshark writes into rows; `count` is the number of the packet whose row ended last."""

    def __init__(self, path: str, numbers: Iterator[int] | None = None) -> None:
        """`numbers` are those of the packets that tshark gets, one after the other; else they count from 1."""
        self._path, self.count = path, 0
        self._numbers = numbers or itertools.count(1)
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[Packet | Bad]:
        """Yield the packets of the rows that end in `data`; take all of them before the next call."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self.count = next(self._numbers)
            if self._skipping:
                self._skipping = False
                continue
            try:
                yield packet(self.count, line.decode("utf-8", "replace"))
            except ValueError as error:
                yield Bad(self._path, f"packet {self.count}", str(error), line[:4096])
        if len(self._rest) > _ROW:
            if not self._skipping:
                place = f"packet {self.count + 1}"
                yield Bad(self._path, place, f"its fields fill more than {_ROW:,} bytes", self._rest[:4096])
            self._skipping, self._rest = True, b""


class Packets:
    """Reads one capture. After `read`, `count` packets were given and `broken` is what reading the source raised."""

    def __init__(self, source: Source, seconds: float) -> None:
        self._source, self._seconds = source, seconds
        self.count = 0
        self.broken: Exception | None = None

    def read(self) -> Iterator[Packet | Bad]:
        """Yield each packet; then, when the capture is damaged or tshark ends early, one Bad that names the packet.

        Raises MissingProgram, and OSError when the source cannot be opened.
        """
        command = rows_command()
        bounds = Bounds(self._seconds)
        piped = self._source.head.data.startswith(_PIPED)
        with self._source.open() if piped else seekable_copy(self._source) as stream:
            program = (
                Program([*command, "-r", "-"], bounds, stream)
                if piped
                else Program([*command, "-r", "/dev/stdin"], bounds, None, stream)
            )
            with program:
                yield from self._rows(program)
                self.broken = program.broken
                trouble = program.trouble(noise())
        if trouble and not self.broken:
            yield Bad(self._source.path, f"packet {self.count + 1}", f"{trouble}; what follows was not read")

    def _rows(self, program: Program) -> Iterator[Packet | Bad]:
        rows = Rows(self._source.path)
        for data in program.output():
            for row in rows.feed(data):
                self.count = rows.count
                yield row
            self.count = rows.count


def seekable_copy(source: Source) -> BinaryIO:
    """Copy a capture to an unnamed temporary file that a program without rights may open as /dev/stdin."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  the caller closes it
    try:
        with source.open() as stream:
            shutil.copyfileobj(stream, file, 1 << 20)
    except READ_ERRORS:
        file.close()
        raise
    file.flush()
    file.seek(0)
    os.fchmod(file.fileno(), 0o444)
    return cast(BinaryIO, file)


@cache
def _about(program: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ask a tshark for the settings it has; give the options that turn joining off, and what it always complains of."""
    with Program([program, "-G", "defaultprefs"], Bounds(60), None) as asked:
        text = b"".join(asked.output()).decode("utf-8", "replace")
        said = tuple(asked.errors())
    options: list[str] = []
    for name in _JOINS.findall(text):
        if name not in _JOINED:
            options += ["-o", f"{name}:FALSE"]
    return tuple(options), said
