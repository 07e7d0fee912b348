r"""The text of `--where` as a condition of the query model, and back.

    process.name = "cmd.exe" and not host.name in ("a", "b")
    (event.code = 4625 or source.ip cidr 203.0.113.0/24) and user.name startswith adm

- Comparisons: `= != < <= > >=`, `in (…)`, `startswith`, `contains`, `cidr`, `exists`, and `like` for what these can
  say: `"a*"`, `"*a*"`, `"*"`. Before `in`, `like`, `startswith`, `contains`, `cidr`, `exists` may stand `not`.
- `not` binds closer than `and`, `and` closer than `or`. These words may be in capitals.
- A value is a text in "…" or '…', a number, or a bare word. A quote within is doubled: `'it''s'`. A backslash
  stands for itself, since Windows paths are what people paste here.
- A number compares as a number (`vonggac.query`); in quotes it compares as text.
- A text in quotes that stands alone is looked for in the whole event: `"mimikatz" and host.name = ws01`.
- A field may be quoted too, for names with blanks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from vonggac.i18n import later
from vonggac.query import MAX_SIZE, NUMBER, And, Condition, Not, Op, Or, Test, Text, Value, check_field

MAX_LENGTH: Final = 128 << 10  # characters; as much as one argument of a program can hold
MAX_TESTS: Final = 500
#: levels of `(` and `not`: each makes at most an Or and an And of the model's 32, and one more for a last `!=`
MAX_LEVELS: Final = 14


class WhereError(ValueError):
    """The text is no condition: `found` stands at `column` (from 1), `wanted` (English, in the catalogue) would do."""

    def __init__(self, column: int, found: str, wanted: str) -> None:
        super().__init__(f"column {column}: {found}; wanted: {wanted}")
        self.column = column
        self.found = found
        self.wanted = wanted


def parse(text: str) -> Condition:
    """Read a condition; raises WhereError and nothing else, whatever the text."""
    if len(text) > MAX_LENGTH:
        raise WhereError(MAX_LENGTH + 1, "…", _SHORTER)
    return _Parser(_tokens(text)).whole()


def written(where: Condition) -> str:
    """Write a condition so that `parse` gives it again (an And or Or of at least two, numbers of the model's form)."""
    match where:
        case And(of):
            return " and ".join(_grouped(one, (Or, And)) for one in of)
        case Or(of):
            return " or ".join(_grouped(one, (Or,)) for one in of)
        case Not(Test(op=Op.EQ) as test):
            return f"{_name(test.field)} != {_literal(test.value)}"
        case Not(of):
            return f"not {_grouped(of, (Or, And))}"
        case Text(text):
            return _quoted(text)
        case Test(field, op, value):
            return f"{_name(field)} {_SIGN.get(op, op.value)} {_literal(value)}".rstrip()


# ------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # "text", "sign", "word", "end"
    text: str
    column: int
    shown: str  # as it stood

    @property
    def keyword(self) -> str:
        """The word in small letters; "" for what is no bare word."""
        return self.text.lower() if self.kind == "word" else ""


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while match := _TOKEN.match(text, at):
        at = match.end()
        kind, column, shown = match.lastgroup or "", match.start(match.lastgroup or 0) + 1, match[match.lastgroup or 0]
        if kind == "text":
            quote = shown[0]
            found.append(_Token(kind, shown[1:-1].replace(quote * 2, quote), column, shown))
        elif kind == "wrong":
            raise WhereError(column, _short(shown), _CLOSED if shown in "\"'" else _SIGNS)
        elif kind != "end":
            found.append(_Token(kind, shown, column, shown))
        else:
            break
    found.append(_Token("end", "", len(text) + 1, ""))
    return found


class _Parser:
    """Recursive descent, one token ahead."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._tests = 0

    def whole(self) -> Condition:
        found = self._any(0)
        if self._next.kind != "end":
            raise self._wrong(_GO_ON)
        return found

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _skip(self, sign: str) -> bool:
        """Pass a sign or keyword, if it stands there."""
        here = self._next
        there = here.keyword == sign or (here.kind == "sign" and here.text == sign)
        self._at += there
        return there

    def _any(self, level: int) -> Condition:
        found = [self._all(level)]
        while self._skip("or"):
            found.append(self._all(level))
        return found[0] if len(found) == 1 else Or(tuple(found))

    def _all(self, level: int) -> Condition:
        found = [self._one(level)]
        while self._skip("and"):
            found.append(self._one(level))
        return found[0] if len(found) == 1 else And(tuple(found))

    def _one(self, level: int) -> Condition:
        start = self._next
        if self._skip("not"):
            self._deeper(level, start)
            return Not(self._one(level + 1))
        if self._skip("("):
            self._deeper(level, start)
            found = self._any(level + 1)
            if not self._skip(")"):
                raise self._wrong(_CLOSE)
            return found
        return self._test()

    def _deeper(self, level: int, start: _Token) -> None:
        if level >= MAX_LEVELS:
            raise WhereError(start.column, start.shown, _FLATTER)

    def _test(self) -> Condition:
        here = self._next
        if here.kind not in ("word", "text") or here.keyword in _RESERVED:
            raise self._wrong(_FIELD)
        self._tests += 1
        if self._tests > MAX_TESTS:
            raise self._wrong(_FEWER)
        field = self._take().text
        if here.kind == "text" and self._alone():
            return Text(field)
        try:
            check_field(field)
        except ValueError:
            raise WhereError(here.column, _short(here.shown), _FIELD) from None
        sign = self._next
        if field == "@timestamp" and sign.text in ("<", "<=", ">", ">="):
            raise WhereError(here.column, field, _SINCE)  # as text it would be compared, and never across zones
        if sign.kind == "sign" and (op := _OPS.get(sign.text)):
            self._take()
            return self._made(field, op)
        if sign.kind == "sign" and sign.text == "!=":
            self._take()
            return Not(self._made(field, Op.EQ))
        if self._skip("not"):
            return Not(self._worded(field, _AFTER_NOT))
        return self._worded(field, _WORDS)

    def _alone(self) -> bool:
        here = self._next
        return here.kind == "end" or here.keyword in ("and", "or") or (here.kind == "sign" and here.text == ")")

    def _worded(self, field: str, wanted: str) -> Condition:
        match self._next.keyword:
            case "in":
                self._take()
                return Test(field, Op.IN, self._listed())
            case "exists":
                self._take()
                return Test(field, Op.EXISTS)
            case "startswith" | "contains" | "cidr" as word:
                self._take()
                return self._made(field, _OPS[word])
            case "like":
                self._take()
                return self._like(field)
        raise self._wrong(wanted)

    def _made(self, field: str, op: Op) -> Condition:
        token = self._value()
        value = token.text if op in (Op.PREFIX, Op.CONTAINS, Op.CIDR) else _value(token)
        try:
            return Test(field, op, value)
        except ValueError:  # of a network: all else fits
            raise WhereError(token.column, _short(token.shown), _NETWORK) from None

    def _like(self, field: str) -> Condition:
        token = self._value()
        body = token.text.strip("*") if set(token.text) != {"*"} else ""
        if "*" in body or (token.text.startswith("*") and not token.text.endswith("*")):
            raise WhereError(token.column, _short(token.shown), _LIKE)
        if not body and token.text:
            return Test(field, Op.EXISTS)
        if token.text.startswith("*"):
            return Test(field, Op.CONTAINS, body)
        return Test(field, Op.PREFIX if token.text.endswith("*") else Op.EQ, body)

    def _listed(self) -> tuple[Value, ...]:
        if not self._skip("("):
            raise self._wrong(_OPEN)
        found = [_value(self._value())]
        while self._skip(","):
            if len(found) >= MAX_SIZE:
                raise self._wrong(_FEWER_VALUES)
            found.append(_value(self._value()))
        if not self._skip(")"):
            raise self._wrong(_COMMA)
        return tuple(found)

    def _value(self) -> _Token:
        here = self._next
        if here.kind not in ("word", "text") or here.keyword in _RESERVED:
            raise self._wrong(_VALUE)
        return self._take()

    def _wrong(self, wanted: str) -> WhereError:
        return WhereError(self._next.column, _short(self._next.shown), wanted)


def _value(token: _Token) -> Value:
    if token.kind == "word" and _NUMBER.fullmatch(token.text):
        return float(token.text) if "." in token.text else int(token.text)
    return token.text


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


# ------------------------------------------------------------------- writing


def _grouped(where: Condition, kinds: tuple[type, ...]) -> str:
    inner = written(where)
    return f"({inner})" if isinstance(where, kinds) else inner


def _name(field: str) -> str:
    bare = _BARE.fullmatch(field) and field.lower() not in _RESERVED
    return field if bare else _quoted(field)


def _literal(value: Value | tuple[Value, ...] | None) -> str:
    match value:
        case None:
            return ""
        case tuple():
            return f"({', '.join(map(_literal, value))})"
        case str():
            return _quoted(value)
        case float():
            digits = f"{value:.9f}".rstrip("0")
            return digits + "0" if digits.endswith(".") else digits
        case _:
            return str(value).lower()


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


# -------------------------------------------------------------------- tables

_NUMBER: Final = re.compile(NUMBER)
_BARE: Final = re.compile(r"""[^\s()=<>!,"']+""")
#: `*+` never goes back: a text that is not closed is not taken for a shorter one
_TOKEN: Final = re.compile(
    r"""\s*+(?:(?P<text>"(?:[^"]|"")*+"|'(?:[^']|'')*+')|(?P<sign>!=|<=|>=|==|[<>=(),])"""
    r"""|(?P<word>[^\s()=<>!,"']++)|(?P<wrong>.)|(?P<end>\Z))""",
    re.DOTALL,
)
_RESERVED: Final = frozenset({"and", "or", "not", "in"})
_OPS: Final = {
    "=": Op.EQ,
    "==": Op.EQ,
    "<": Op.LT,
    "<=": Op.LTE,
    ">": Op.GT,
    ">=": Op.GTE,
    "startswith": Op.PREFIX,
    "contains": Op.CONTAINS,
    "cidr": Op.CIDR,
}
_SIGN: Final = {Op.EQ: "=", Op.LT: "<", Op.LTE: "<=", Op.GT: ">", Op.GTE: ">=", Op.PREFIX: "startswith"}
_SHORTER: Final = later("a shorter text (131,072 characters at most)")
_FIELD: Final = later("a field's name such as process.name, a text in quotes, `not` or `(`")
_WORDS: Final = later("one of = != < <= > >= in like startswith contains cidr exists")
_AFTER_NOT: Final = later("one of in like startswith contains cidr exists")
_SIGNS: Final = later("one of = != < <= > >=")
_VALUE: Final = later("a value: a text in quotes, a number or a word (and, or, not, in only in quotes)")
_GO_ON: Final = later("`and`, `or` or the end")
_OPEN: Final = later('`(` and a list of values, such as ("a", "b")')
_COMMA: Final = later("`,` or `)`")
_CLOSE: Final = later("`and`, `or` or `)`")
_CLOSED: Final = later("the quote that closes this text (within it, a quote is doubled)")
_NETWORK: Final = later("a network such as 10.1.0.0/16")
_LIKE: Final = later('"text*" (begins so), "*text*" (holds it) or "*" (is there); stars elsewhere cannot be asked for')
_SINCE: Final = later("--since and --until for times")
_FEWER: Final = later("at most 500 comparisons")
_FEWER_VALUES: Final = later("at most 10,000 values in a list")
_FLATTER: Final = later("at most 14 levels of `(` and `not`")
