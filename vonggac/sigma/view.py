"""The view that a rule has of an event: values by Sigma name, texts ready to compare, the strings of the whole."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from vonggac.event import Event, fold
from vonggac.sigma.names import Lookup, Values, lookup_of, vendor_objects, windows_of

_DASHES = str.maketrans("/\u2013\u2014\u2015", "----")
_LARGEST = 10**300  # numbers beyond it are not written out: Python refuses above 4,300 digits


class View:
    """One event as rules see it; remembers what was asked, so that a thousand rules cost one look each."""

    __slots__ = ("_lookup", "_strings", "_texts", "_values", "empty_is_null", "event", "windows")

    def __init__(self, event: Event) -> None:
        self.event = event
        #: an empty element of a Windows event counts as null
        self.empty_is_null = "winlog" in event.doc
        #: a Windows event's names, for `sources_of` too
        self.windows = windows_of(event.doc)
        self._lookup: Lookup = self.windows.values if self.windows else lookup_of(event.doc)
        self._values: dict[str, Values] = {}
        self._texts: dict[tuple[str | None, str], tuple[str, ...]] = {}
        self._strings: tuple[str, ...] | None = None

    def only(self, text: str) -> View:
        """Give a view of the same event whose whole message is one text."""
        alone = View(self.event)
        alone._strings = (text,)
        return alone

    def values(self, name: str) -> Values:
        """Give a field's values, any of which may match; None = the event has no such field."""
        try:
            return self._values[name]
        except KeyError:
            found = self._values[name] = self._lookup(name)
            return found

    def texts(self, name: str | None, form: str) -> tuple[str, ...]:
        """Give a field's values as text (name None: the strings of the whole event) in a form of FORMS."""
        try:
            return self._texts[name, form]
        except KeyError:
            plain = self.strings() if name is None else texts_of(self.values(name) or ())
            made = self._texts[name, form] = tuple(FORMS[form](one) for one in plain)
            return made

    def strings(self) -> tuple[str, ...]:
        """Give the full log message: the line as it came, else the message and every text and number of the record."""
        if self._strings is None:
            doc = self.event.doc
            whole = doc.get("event", {}).get("original")
            if not isinstance(whole, str):
                whole = doc.get("message")
            first = (whole,) if isinstance(whole, str) else ()
            # a text line is all there is; the audit log writes some of its texts in hex
            if first and "original" in doc.get("event", {}) and "auditd" not in doc:
                self._strings = first
            else:
                texts = list(first)
                for vendor in vendor_objects(doc):
                    for value in vendor.values():
                        if type(value) is str:  # most are: 2 µs an event instead of 9
                            texts.append(value)
                        elif type(value) is int:
                            texts.append(text_of(value) or "")
                        elif value is not None:
                            texts.extend(_leaves(value))
                self._strings = tuple(texts)
        return self._strings


def text_of(value: Any) -> str | None:
    """Give a value as the text that rules compare; None for null. An object is its JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if -_LARGEST < value < _LARGEST else hex(value)
    if isinstance(value, dict):
        return _json(value)
    return str(value)


def _json(value: dict[Any, Any]) -> str:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # integers above 64 bits, lone surrogates, nesting above 254
        pass
    try:
        return json.dumps(value, ensure_ascii=False, default=str, separators=(",", ":"))
    except (ValueError, RecursionError):
        return "{}"


def texts_of(values: tuple[Any, ...]) -> list[str]:
    """Give the texts of values, nulls left out."""
    return [text for one in values if (text := text_of(one)) is not None]


def composed(text: str) -> str:
    """Give text for exact comparison: NFC, letter case kept."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


#: How texts are made ready: `fold` without letter case, `exact` with it; `-dash` takes every dash form for "-".
FORMS: Final[dict[str, Callable[[str], str]]] = {
    "fold": fold,
    "exact": composed,
    "fold-dash": lambda text: fold(text).translate(_DASHES),
    "exact-dash": lambda text: composed(text).translate(_DASHES),
}


def _leaves(value: Any) -> Iterator[str]:
    """Yield every text and number below a value; iterative, since records may be nested deep."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting.extend(reversed(one.values()))
        elif isinstance(one, list):
            waiting.extend(reversed(one))
        elif (text := text_of(one)) is not None:
            yield text
