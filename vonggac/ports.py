"""The ports: what a collector and a detector must offer, and what they are given. No implementation stands here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from vonggac.event import Alert, Bad, Event, LogSource, Match

Batch = tuple[Sequence[Event | Bad], bytes | None]


@dataclass(frozen=True, slots=True)
class Head:
    """The start of an input, for `claims`: its name (last part, lower case, without .gz) and up to 64 KiB."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """One input. `path` is how people call it (`day.zip!logs/conn.log` inside an archive)."""

    path: str
    head: Head
    size: int | None  # bytes on disk (compressed), None when not known
    modified: datetime  # aware; the "now" of logs without a year
    #: give a fresh stream of decompressed bytes from the start; raises OSError, EOFError or zlib/zstd errors as
    #: `vonggac.reading.source.READ_ERRORS` lists them
    open: Callable[[], BinaryIO]
    #: give a seekable file of the same bytes (spooled to a temporary file when the source is compressed)
    seekable: Callable[[], BinaryIO]
    #: a worker's part of a large file ends here; `open` ends there by itself, a reader of `seekable` must stop
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a person may say about an input."""

    logsource: LogSource | None = None
    zone: str = "Asia/Ho_Chi_Minh"  # of times that carry none (RFC 3164)
    time_limit_s: float = 600.0  # for outside programs (tshark), an input


class Collector(Protocol):
    """A running reader of one input. Pure: bytes in, Events out."""

    def read(self, mark: bytes | None) -> Iterator[Batch]:
        """Yield batches of events (about 100) with the mark after them, from `mark` (None = the start).

        A mark says where to resume: reading again with it gives exactly what would have followed. The last batch of a
        bounded input has mark None. A record that cannot be read is a `Bad` in its place, never an exception; only
        what makes the whole rest unreadable (`READ_ERRORS`) is raised.
        """
        ...


class CollectorModule(Protocol):
    """What a file on the shelf `collectors/` offers; its name is its name everywhere.

    A module may also offer `splits(head: Head) -> bool`: True says that reading may begin at any line of this input,
    with the offset of the line's first byte (ASCII) as the mark, and gives there what reading from the start gives.
    Then several workers share a large file. Where the input is no text, `GRAIN = (first, size)` says at which offsets
    reading may begin (first + n * size), and `mark_at(offset: int) -> bytes` gives the mark for one.
    """

    def claims(self, head: Head) -> int:
        """Say how sure it is that the input is its own: 0 = not mine, 100 = nobody else's. Never raises."""
        ...

    def open(self, source: Source, options: ReadOptions) -> Collector:
        """Give a collector for the source; touches nothing yet."""
        ...


class Detector(Protocol):
    """One way of seeing. No memory: the answer depends on the event and the rule set alone."""

    digest: str  # of the rule set

    def judge(self, events: Sequence[Event]) -> Iterable[Alert | Match | Bad]:
        """Yield what the events mean, in their order. Never raises for an event's content."""
        ...


class FileDetector(Protocol):
    """A detector that looks at a file's bytes instead of log events (YARA)."""

    digest: str
    limit: int  # bytes: a larger file is named, not looked at

    def examine(self, event: Event, path: Path) -> Iterable[Alert | Bad]:
        """Judge the file at `path`; `event` is the file event (path, size, hashes) of the collector `file`."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule that does not run: where it stands and why. No rule is silent."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class RuleSource:
    """One pack of rules as a detector gets it: its name (ruleset), its folder, and nothing of how it came there."""

    name: str
    root: Path


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """What a detector is built from."""

    packs: Sequence[RuleSource]
    min_level: str = "informational"
    cache: Path | None = None  # a private folder (0700) for compiled rules
    expand: Mapping[str, Sequence[str]] = field(default_factory=dict)  # Sigma's %placeholders%


@dataclass(frozen=True, slots=True)
class Built:
    """A detector ready to judge, with the account of its rules. Exactly one of `events`, `files` is set."""

    loaded: int
    refused: Sequence[Refused]
    events: Detector | None = None
    files: FileDetector | None = None


class DetectorModule(Protocol):
    """What a file or package on the shelf `detectors/` offers."""

    def build(self, config: DetectorConfig) -> Built:
        """Read the packs' rules (each detector takes the file types it knows) and give the detector."""
        ...
