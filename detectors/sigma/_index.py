"""One field's atoms, arranged so that a value finds the true ones at once, without trying each.

Equality by hash; literals by one Aho-Corasick automaton a form of text; wildcards and regular expressions behind a
literal that they need; numbers by hash; networks by prefix. What fits none of these is tried on every value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from detectors.sigma._atoms import Equal, Exists, Meaning, Network, Null, Regex, Value
from detectors.sigma._literals import CHUNK, Check, Literals, searchable
from detectors.sigma._needed import needed
from detectors.sigma._scalars import number_of
from detectors.sigma._texts import Pattern, Wild
from vonggac.event import fold
from vonggac.sigma.view import FORMS, composed, text_of

_NOTHING: Final[tuple[int, ...]] = ()


class Field:
    """The index of one field (or of the keywords): from a value to the numbers of its true atoms."""

    def __init__(self) -> None:
        self._forms: dict[str, Literals] = {}
        self._any: list[int] = []  # any text
        self._null: list[int] = []
        self._exists: dict[bool, list[int]] = {True: [], False: []}
        self._written: dict[str, list[int]] = {}  # a number, as its text
        self._numbers: dict[int | Decimal, list[int]] = {}
        self._booleans: dict[bool, list[int]] = {}
        self._networks: dict[tuple[int, int], dict[int, list[int]]] = {}  # (version, prefix length) -> address -> atoms
        self._values: list[tuple[int, Callable[[Any], bool]]] = []
        self._searches: list[Check] = []
        self._texts: tuple[tuple[Callable[[str], str], Literals], ...] = ()

    def add(self, number: int, meaning: Meaning | Pattern) -> None:
        """Take an atom in, a text one pattern at a time; `close` ends it."""
        if isinstance(meaning, Pattern):
            self._add_pattern(number, meaning)
        elif isinstance(meaning, Regex):
            literals = needed(meaning.pattern).literals
            if literals and all(map(searchable, literals)):
                self._form("fold").behind(literals, number, meaning.search)
            else:
                self._searches.append((number, meaning.search))
        elif isinstance(meaning, Null):
            self._null.append(number)
        elif isinstance(meaning, Exists):
            self._exists[meaning.wanted].append(number)
        elif isinstance(meaning, Equal):
            self._add_equal(number, meaning.wanted)
        elif isinstance(meaning, Network):
            net = meaning.network
            by_address = self._networks.setdefault((net.version, net.max_prefixlen - net.prefixlen), {})
            by_address.setdefault(int(net.network_address) >> (net.max_prefixlen - net.prefixlen), []).append(number)
        elif isinstance(meaning, Value):
            self._values.append((number, meaning.holds))
        else:
            msg = f"no index for {meaning!r}"
            raise TypeError(msg)

    def _add_pattern(self, number: int, pattern: Pattern) -> None:
        if pattern.runs == (Wild.RUN,):
            self._any.append(number)
        else:
            self._form(pattern.form).add(number, pattern)

    def _add_equal(self, number: int, wanted: bool | int | Decimal) -> None:
        self._written.setdefault(text_of(wanted) or "", []).append(number)
        if isinstance(wanted, bool):
            self._booleans.setdefault(wanted, []).append(number)
        else:
            self._numbers.setdefault(wanted, []).append(number)

    def _form(self, name: str) -> Literals:
        return self._forms.setdefault(name, Literals())

    def close(self) -> None:
        """Build the automata."""
        for form in self._forms.values():
            form.close()
        self._texts = tuple((FORMS[name], form) for name, form in self._forms.items())

    # ------------------------------------------------------------- reading

    def absent(self) -> list[int]:
        """Give the atoms that are true of an event without the field."""
        return self._exists[False] + self._null

    def of_values(self, values: Sequence[Any], empty_is_null: bool) -> list[int]:
        """Give the atoms that are true of a field with these values, a number twice where two members say so."""
        found = list(self._exists[True])
        if not values:
            found += self._null
        for value in values:
            found += self.of_text(value, empty_is_null) if type(value) is str else self._of_other(value)
        return found

    def of_text(self, text: str, empty_is_null: bool) -> list[int]:
        """Give the atoms that are true of a text value, presence apart."""
        found = self.of_string(text)
        if self._written:
            if same := self._written.get(text):
                found += same
            elif self._booleans and (same := self._written.get(fold(text))):
                found += [one for wanted in self._booleans for one in self._booleans[wanted] if one in same]
        if empty_is_null and not text:
            found += self._null
        if self._values:
            found += [number for number, holds in self._values if holds(text)]
        if self._networks:
            found += self._of_address(text)
        return found

    def of_string(self, text: str) -> list[int]:
        """Give the text atoms that are true of a string; a lone surrogate makes each be tried in turn."""
        found = list(self._any)
        try:
            for ready, form in self._texts:
                found += form.find(ready(text), text)
        except UnicodeEncodeError:
            found = [*self._any, *(one for ready, form in self._texts for one in form.tried(ready(text), text))]
        if self._searches:
            exact = composed(text)
            found += [number for number, search in self._searches if search(exact)]
        return found

    def of_strings(self, strings: Sequence[str]) -> set[int]:
        """Give the text atoms that are true of one of the strings: all searched at once, apart only where need be."""
        found: set[int] = set()
        whole = "\0".join(dict.fromkeys(strings))  # a message stands twice in an event
        if strings and not self._searches and len(whole) <= CHUNK:
            try:
                sure = [form.inside(ready(whole)) for ready, form in self._texts]
            except UnicodeEncodeError:
                sure = [None]
            if None not in sure:
                return found.union(self._any, *(one for one in sure if one))
        for one in strings:
            found.update(self.of_string(one))
        return found

    def _of_other(self, value: Any) -> list[int]:
        if value is None:
            return self._null + [number for number, holds in self._values if holds(None)]
        found = self.of_string(text_of(value) or "")
        if isinstance(value, bool):
            found += self._booleans.get(value, _NOTHING)
        elif isinstance(value, int | float) and self._numbers:
            number = number_of(value)
            found += _NOTHING if number is None else self._numbers.get(number, _NOTHING)
        found += [number for number, holds in self._values if holds(value)]
        return found

    def _of_address(self, text: str) -> list[int]:
        if len(text) > 80:
            return []
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return []
        both = [address]
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            both.append(address.ipv4_mapped)
        return [
            number
            for one in both
            for (version, shift), by_address in self._networks.items()
            if version == one.version
            for number in by_address.get(int(one) >> shift, _NOTHING)
        ]
