"""YARA rules: the bytes of a file against all rules of the packs at once; never a log event."""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from detectors._yarapack import Compiled, load
from vonggac.event import Alert, Bad, Event, RuleRef
from vonggac.ports import Built, DetectorConfig

SIZE_CAP: Final = 64 << 20  # bytes; a larger file is a Bad that says so
TIME_LIMIT: Final = 30  # seconds a file
VERDICTS: Final = 16_384  # remembered
PREVIEW: Final = 64  # bytes of what matched

#: the rules that matched, and for each of its strings where it was found first
Verdict = tuple[tuple[RuleRef, dict[str, Any]], ...]


def build(config: DetectorConfig) -> Built:
    """Compile the packs' rules; a file that does not compile is refused by name, never an exception."""
    compiled = load(config.packs, config.min_level, config.cache)
    return Built(loaded=len(compiled.refs), refused=compiled.refused, files=Yara(compiled))


class Yara:
    """The rule set, and the verdicts on files that were seen before."""

    def __init__(self, compiled: Compiled, *, size_cap: int = SIZE_CAP, time_limit: int = TIME_LIMIT) -> None:
        self.digest = compiled.digest
        self.limit = size_cap
        self._compiled, self._time_limit = compiled, time_limit
        self._verdicts: OrderedDict[tuple[str, ...], Verdict] = OrderedDict()

    def examine(self, event: Event, path: Path) -> Iterator[Alert | Bad]:
        """Yield an alert a matching rule; a file that cannot be judged (too large, too slow, gone) is one Bad."""
        import yara

        about = event.doc.get("file", {})
        name = str(about.get("path", path))
        if self._compiled.rules is None:
            return
        externals = _externals(name, str(about.get("name", path.name)))
        key = _key(about, externals if self._compiled.asks_names else {})
        verdict = self._remembered(key)
        if verdict is None:
            notes: list[Bad] = []
            try:
                with path.open("rb") as file:
                    size = file.seek(0, 2)
                    if size > self.limit:
                        reason = f"{size:,} bytes: YARA looks at files up to {self.limit:,} bytes"
                        yield Bad(name, "", reason)
                        return
                    if size:
                        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
                            verdict = self._match(data, externals, name, notes)
                    else:
                        verdict = self._match(b"", externals, name, notes)
            except yara.TimeoutError:
                yield Bad(name, "", f"YARA gave no verdict within {self._time_limit} s")
                return
            except yara.Error as error:
                yield Bad(name, "", f"YARA: {error}")
                return
            except (OSError, ValueError) as error:  # ValueError: it shrank between seek and mmap
                yield Bad(name, "", f"cannot be read: {getattr(error, 'strerror', None) or error}")
                return
            if notes:
                yield from notes
            else:
                self._remember(key, verdict)
        for ref, matched in verdict:
            yield Alert(ref, event, matched)

    def _match(self, data: bytes | mmap.mmap, externals: Mapping[str, str], name: str, notes: list[Bad]) -> Verdict:
        """Run the rules; `notes` takes what libyara warns of (a string found a million times: the rest is not seen).

        `fast` keeps one match of a string whose count no rule asks for: memory stays bounded on `aaaa…`.
        """

        def warn(kind: int, warning: Any) -> int:
            rule = getattr(warning, "rule", "")
            string = getattr(warning, "string", "")
            notes.append(
                Bad(name, f"rule {rule}, string {string}", "found too often; later places were not seen", kept=True)
            )
            return 0

        found = self._compiled.rules.match(
            data=data,
            externals=externals,
            fast=True,
            timeout=self._time_limit,
            warnings_callback=warn,
            console_callback=_silent,  # the console module would write to standard output
        )
        refs = self._compiled.refs
        known = ((refs.get((one.namespace, one.rule)), one) for one in found)
        return tuple((ref, _first(one.strings)) for ref, one in known if ref is not None)

    def _remembered(self, key: tuple[str, ...] | None) -> Verdict | None:
        if key is None or key not in self._verdicts:
            return None
        self._verdicts.move_to_end(key)
        return self._verdicts[key]

    def _remember(self, key: tuple[str, ...] | None, verdict: Verdict) -> None:
        if key is None:
            return
        self._verdicts[key] = verdict
        if len(self._verdicts) > VERDICTS:
            self._verdicts.popitem(last=False)


def _first(strings: Iterable[Any]) -> dict[str, Any]:
    """Give each string's first place: `{"$a": {"offset": 12, "preview": "eval(…"}}`; nameless ones share `$`."""
    first: dict[str, Any] = {}
    for one in strings:
        instance = min(one.instances, key=lambda found: int(found.offset), default=None)
        if instance is not None:
            first.setdefault(one.identifier, {"offset": instance.offset, "preview": _preview(instance.matched_data)})
    return first


def _preview(data: bytes) -> str:
    r"""Give the start as text: UTF-16 (a `wide` string) as its letters, what is not ASCII as `\xff`."""
    narrow = data[::2] if len(data) % 2 == 0 and not any(data[1::2]) else data
    return narrow[:PREVIEW].decode("ascii", "backslashreplace")


def _key(about: Mapping[str, Any], externals: Mapping[str, str]) -> tuple[str, ...] | None:
    """Name a verdict: by the file's SHA-256, and by its names where a rule asks for these."""
    sha256 = about.get("hash", {}).get("sha256")
    return (sha256, *externals.values()) if sha256 else None


def _externals(path: str, name: str) -> dict[str, str]:
    """Give what rules may ask besides the bytes; the owner is not known, the type is left to the rules' own look."""
    _, dot, ending = name.rpartition(".")
    extension = f".{ending.lower()}" if dot else ""
    return {"filename": name, "filepath": path, "extension": extension, "filetype": "", "owner": ""}


def _silent(message: str) -> None:
    """Take what a rule logs, and say nothing."""
