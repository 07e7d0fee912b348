"""All rule files of the packs as judged documents, from the cache where a file's bytes are known, else read and judged.

The cache holds {digest of a file's bytes: its documents and faults}: one changed file costs one file's reading. Its key
is a digest of this code and of the libraries under it. Nothing in it depends on names of files, packs or settings.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

import vonggac.event
import vonggac.sigma
from detectors.sigma import documents
from detectors.sigma.documents import Document, Fault, RuleDocument
from vonggac.event import RuleRef, digest
from vonggac.ports import Refused
from vonggac.reading.rulefiles import SIGMA, rule_files
from vonggac.reading.source import display
from vonggac.sigma import quick, sealed
from vonggac.sigma.rulefile import SIZE_LIMIT, RuleError, RuleFileError

FILE: Final = "documents.vgcache"  # its name in the cache folder
UNUSED_LIMIT: Final = 1_000  # entries kept for packs that are not loaded now, beside as many as are in use


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of a pack: its documents in order, and what is wrong in it."""

    pack: str
    path: str  # as people are shown it
    digest: bytes  # of its bytes; empty where it could not be read
    documents: tuple[Document, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Book:
    """All files, in the order of packs and names; `refused` are those never opened (links, devices, too many)."""

    files: tuple[RuleFile, ...]
    refused: tuple[Refused, ...]
    judged: int  # files that the cache did not know
    unsaved: str  # why the cache could not be written; empty when it was, or need not be


def load(packs: Iterable[tuple[str, Path]], folder: Path | None, *, strict: bool = False) -> Book:
    """Load packs by name and root, through the cache in `folder` (None: without).

    YAML that is no Sigma at all (a pack's own settings) is passed over unless `strict`. Never raises for what a file
    holds; a file that cannot be read is a RuleFile with a fault.
    """
    place = folder / FILE if folder is not None else None
    known = _entries(sealed.load(place, key()) if place is not None else None)
    used: dict[bytes, msgspec.Raw] = {}
    files: list[RuleFile] = []
    refused: list[Refused] = []
    judged = 0
    for pack, root in packs:
        for path in rule_files(root, SIGMA):
            if isinstance(path, Refused):
                refused.append(path)
                continue
            shown = display(str(path))
            try:
                with path.open("rb") as file:
                    data = file.read(SIZE_LIMIT + 1)
            except OSError as error:
                fault = Fault(1, "", "file", f"cannot be read: {error.strerror or error}", -1, foreign=False)
                files.append(RuleFile(pack, shown, b"", (), (fault,)))
                continue
            own = hashlib.blake2b(data, digest_size=16).digest()
            found = _found(known.get(own))
            if found is None:
                found = judge(data)
                known[own] = msgspec.Raw(documents.encode(found))
                judged += 1
            used[own] = known[own]
            good = tuple(one for one in found if not isinstance(one, Fault))
            bad = tuple(one for one in found if isinstance(one, Fault) and (strict or not one.foreign))
            files.append(RuleFile(pack, shown, own, good, bad))
    unsaved = ""
    if place is not None and (judged or len(known) > 2 * len(used) + UNUSED_LIMIT):
        unsaved = _save(place, known if len(known) <= 2 * len(used) + UNUSED_LIMIT else used)
    return Book(tuple(files), tuple(refused), judged, unsaved)


def judge(data: bytes) -> tuple[Document | Fault, ...]:
    """Judge a file's bytes, document by document."""
    if len(data) > SIZE_LIMIT:
        return (Fault(1, "", "yaml", f"file is above the limit of {SIZE_LIMIT:,} bytes", -1, foreign=False),)
    try:
        parsed = quick.documents(data)
    except RuleFileError as error:
        return (Fault(error.line, "", "yaml", error.reason, -1, foreign=False),)
    if not parsed:
        return (Fault(1, "", "yaml", "no document", -1, foreign=True),)
    out: list[Document | Fault] = []
    for number, one in enumerate(parsed):
        try:
            out.append(documents.document_of(one, number))
        except RuleError as error:
            at = documents.pointer(error.at)
            reason = " ".join(error.reason.split())[:500]
            foreign = not documents.is_sigma(one.value)
            out.append(Fault(one.line_of(error.at), at, error.kind, reason, number, foreign))
    return tuple(out)


def ref_of(document: RuleDocument, ruleset: str) -> RuleRef:
    """Give the reference that alerts carry. Without an id it hangs on what is least likely to change."""
    frame = document.frame
    return RuleRef(
        id=frame.id or frame.name or digest("sigma rule", ruleset, frame.title),
        name=frame.title,
        level=frame.level or "medium",
        ruleset=ruleset,
        version=document.version,
        techniques=frame.techniques,
        tactics=frame.tactics,
    )


@cache
def key() -> bytes:
    """Digest the code that judges, and the versions of what it stands on."""
    sources = [Path(vonggac.event.__file__)]
    for package in (__file__, vonggac.sigma.__file__):
        sources += sorted(Path(package or "").parent.glob("*.py"))
    parts: list[str | bytes] = [sys.version, *(f"{name} {version(name)}" for name in _LIBRARIES)]
    for source in sources:
        parts += [source.name, source.read_bytes()]
    return bytes.fromhex(digest("rule documents", *parts))


def _entries(body: bytes | None) -> dict[bytes, msgspec.Raw]:
    if body is None:
        return {}
    try:
        return _BODY.decode(body)
    except msgspec.DecodeError:  # written by a hand, under the right digest
        return {}


def _found(entry: msgspec.Raw | None) -> tuple[Document | Fault, ...] | None:
    if entry is None:
        return None
    try:
        return documents.decode(entry)
    except msgspec.DecodeError:
        return None


def _save(place: Path, entries: dict[bytes, msgspec.Raw]) -> str:
    try:
        sealed.store(place, key(), msgspec.msgpack.encode(entries))
    except OSError as error:
        return f"{display(str(place))}: {error.strerror or error}"
    except ValueError as error:
        return f"{display(str(place))}: {error}"
    return ""


_LIBRARIES: Final = ("msgspec", "PyYAML", "google-re2")
_BODY: Final = msgspec.msgpack.Decoder(dict[bytes, msgspec.Raw])
