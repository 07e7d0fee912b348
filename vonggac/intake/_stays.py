"""Files that were read and cannot be moved away: remembered durably, each in 16 bytes, so that none is read twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from vonggac.intake._look import Found

_PREFIX: Final = "inbox:stays:"
_MOST: Final = 4_000  # keys of one mark: 62.5 KiB; there are 16 marks


class Stays:
    """Keys of files (32 hex digits) by their first digit, a mark each. Every change gives the marks to commit."""

    def __init__(self) -> None:
        self._keys: dict[str, Found | None] = {}  # None: of an earlier run, not seen again yet
        self.paths: dict[str, str] = {}  # path -> key

    @staticmethod
    def owns(name: str) -> bool:
        """Say whether a mark is one of these."""
        return name.startswith(_PREFIX)

    def load(self, marks: Mapping[str, bytes]) -> None:
        """Take what is remembered."""
        self._keys.clear()
        self.paths.clear()
        for name, mark in marks.items():
            if self.owns(name):
                self._keys |= {mark[at : at + 16].hex(): None for at in range(0, len(mark), 16)}

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def full(self) -> bool:
        """Say whether one more could be too many."""
        return len(self._keys) >= _MOST and max(map(len, self._by_digit().values())) >= _MOST

    def knows(self, found: Found) -> bool:
        """Say whether it is one of them, unchanged."""
        key = self.paths.get(found.path)
        return key is not None and self._keys.get(key) == found

    def takes(self, key: str, found: Found) -> bool:
        """Recognise a file of an earlier run by its key."""
        if key not in self._keys:
            return False
        self._keys[key] = found
        self.paths[found.path] = key
        return True

    def add(self, key: str, found: Found) -> dict[str, bytes]:
        """Remember one more."""
        self._keys[key] = found
        self.paths[found.path] = key
        return self._marks([key])

    def drop(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Forget some."""
        gone = list(keys)
        for key in gone:
            found = self._keys.pop(key, None)
            if found is not None and self.paths.get(found.path) == key:
                del self.paths[found.path]
        return self._marks(gone)

    def missing(self, seen: Mapping[str, Found]) -> list[str]:
        """Give the keys of those that are gone, or are other files now; `seen` is by path."""
        return [key for key, found in self._keys.items() if found is not None and seen.get(found.path) != found]

    def unseen(self) -> list[str]:
        """Give the keys of an earlier run that no file has."""
        return [key for key, found in self._keys.items() if found is None]

    def found(self) -> list[tuple[str, Found]]:
        """Give those that are there."""
        return [(key, found) for key, found in self._keys.items() if found is not None]

    def _by_digit(self) -> dict[str, list[str]]:
        by: dict[str, list[str]] = {}
        for key in self._keys:
            by.setdefault(key[0], []).append(key)
        return by

    def _marks(self, changed: Iterable[str]) -> dict[str, bytes]:
        by = self._by_digit()
        return {_PREFIX + digit: bytes.fromhex("".join(by.get(digit, ()))) for digit in {key[0] for key in changed}}
