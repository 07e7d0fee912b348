"""YARA rule files of the packs into one compiled rule set: each file on its own feet, what does not compile refused.

The compiled form is kept on disk. libyara trusts what it loads, so the folder must be ours alone, and each file bears
the digest of what stands in it: a damaged one is built anew.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from vonggac.event import LEVELS, SEVERITY, RuleRef, digest
from vonggac.ports import Refused, RuleSource
from vonggac.reading.rulefiles import YARA, rule_files
from vonggac.reading.source import display

SIZE_LIMIT: Final = 16 << 20  # bytes a rule file; the largest of 742 public ones has 1 MB
KEPT: Final = 3  # compiled forms on disk
#: what rules may ask of a file besides its bytes, as LOKI and THOR give it
EXTERNALS: Final = ("filename", "filepath", "extension", "filetype", "owner")
_FORMAT: Final = "1"


@dataclass(frozen=True, slots=True)
class RuleText:
    """A rule file as it was read. `space` is its namespace in the compiled set: pack and path below the pack's root."""

    ruleset: str
    path: str
    space: str
    text: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """The rule set: `rules` is None when there are none. `refs` by (namespace, rule name); others do not report."""

    rules: Any
    refs: Mapping[tuple[str, str], RuleRef]
    refused: Sequence[Refused]
    asks_names: bool  # a rule asks for more than the bytes
    digest: str


@dataclass(slots=True)
class _Account:
    """What is known of the rules besides the compiled form; goes to disk with it as JSON."""

    refs: list[tuple[str, str, RuleRef]] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    asks_names: bool = False


def load(packs: Sequence[RuleSource], min_level: str, cache: Path | None) -> Compiled:
    """Read the packs' rules and compile them, or take the compiled form from `cache`."""
    import yara

    texts: list[RuleText] = []
    unread: list[Refused] = []
    for pack in packs:
        for one in _texts(pack):
            if isinstance(one, RuleText):
                texts.append(one)
            else:
                unread.append(one)
    own = digest(
        "yara", _FORMAT, yara.__version__, min_level, *(part for one in texts for part in (one.space, one.text))
    )
    place = _private(cache)
    # what lies on disk names paths, and libyara's form is one machine's
    file = place / f"{digest(own, platform.machine(), *(one.path for one in texts))}.yarc" if place else None
    found = _saved(file) if file else None
    if found is None:
        found = _compiled(texts, min_level)
        if file:
            _save(file, *found)
    rules, account = found
    refs = {(space, name): ref for space, name, ref in account.refs}
    return Compiled(rules, refs, [*unread, *account.refused], account.asks_names, own)


# ------------------------------------------------------------------- reading


def _texts(pack: RuleSource) -> Iterator[RuleText | Refused]:
    for path in rule_files(pack.root, YARA):
        if isinstance(path, Refused):
            yield path
            continue
        name = display(path.name if path == pack.root else path.relative_to(pack.root).as_posix())
        shown = display(str(path))
        try:
            with path.open("rb") as file:
                data = file.read(SIZE_LIMIT + 1)
            text = data.decode("utf-8-sig")
        except OSError as error:
            yield Refused(shown, 1, f"cannot be read: {error.strerror or error}")
        except UnicodeDecodeError as error:
            yield Refused(shown, data.count(b"\n", 0, error.start) + 1, f"not UTF-8 at byte {error.start}")
        else:
            if len(data) > SIZE_LIMIT:
                yield Refused(shown, 1, f"file is above the limit of {SIZE_LIMIT:,} bytes")
            elif "\0" in text:
                yield Refused(shown, text[: text.index("\0")].count("\n") + 1, "holds a NUL byte")
            else:
                yield RuleText(pack.name, shown, f"{pack.name}/{name}", text)


# ----------------------------------------------------------------- compiling


def _compiled(texts: Sequence[RuleText], min_level: str) -> tuple[Any, _Account]:
    import yara

    account = _Account()
    good: dict[str, str] = {}
    found: list[tuple[RuleText, str, dict[str, Any]]] = []
    for one in texts:
        try:
            rules = yara.compile(source=one.text, externals=_NONE, includes=False)
        except yara.Error as error:
            account.refused.append(_refusal(one, str(error)))
            continue
        good[one.space] = one.text
        account.asks_names = account.asks_names or _asks_names(one.text)
        found += [(one, rule.identifier, dict(rule.meta)) for rule in rules if not rule.is_private]
    _name_rules(found, min_level, account)
    try:
        return (yara.compile(sources=good, externals=_NONE, includes=False) if good else None), account
    except yara.Error as error:  # together they may pass a limit that none passes alone
        account.refused += [Refused(one.path, 1, f"all rules together: {error}") for one in texts if one.space in good]
        account.refs.clear()
        return None, account


def _asks_names(text: str) -> bool:
    """Say whether a file's rules need the externals: it does not compile without them."""
    import yara

    if not any(name in text for name in EXTERNALS):
        return False
    try:
        yara.compile(source=text, includes=False)
    except yara.Error:
        return True
    return False


def _name_rules(found: Sequence[tuple[RuleText, str, dict[str, Any]]], min_level: str, account: _Account) -> None:
    """Give each rule its id: `id` of its meta where no other rule of the pack has it, else `yara/<name>`."""
    shared = Counter((one.ruleset, _text(meta.get("id"))) for one, _, meta in found)
    seen: dict[str, str] = {}
    least = LEVELS.index(min_level)
    for one, name, meta in found:
        own = _text(meta.get("id"))
        ref = RuleRef(
            id=own if own and shared[one.ruleset, own] == 1 else f"yara/{name}",
            name=_text(meta.get("title")) or name,
            level=level_of(meta),
            ruleset=one.ruleset,
            version=digest(one.text),
            techniques=tuple(dict.fromkeys(_TECHNIQUE.findall(_text(meta.get("technique"))))),
            tactics=tuple(dict.fromkeys(_TACTIC.findall(_text(meta.get("tactic"))))),
        )
        if ref.id in seen:
            reason = f"rule id {ref.id} stands already in {seen[ref.id]}"
            account.refused.append(Refused(one.path, _line_of(one.text, name), reason))
            continue
        seen[ref.id] = one.path
        if LEVELS.index(ref.level) >= least:
            account.refs.append((one.space, name, ref))


def level_of(meta: Mapping[str, Any]) -> str:
    """Read `level`, else `score` (0-100, signature-base's; the bands of event.severity), else medium."""
    named = _text(meta.get("level")).lower()
    if named in LEVELS:
        return named
    score = meta.get("score")
    if not isinstance(score, int) or isinstance(score, bool):
        return "medium"
    return max((one for one in LEVELS if SEVERITY[one] <= score), key=LEVELS.index, default=LEVELS[0])


def _text(value: object) -> str:
    return " ".join(value.split())[:200] if isinstance(value, str) else ""


def _refusal(one: RuleText, message: str) -> Refused:
    """Take libyara's `line 7: undefined identifier "x"` apart."""
    match = _LINE.match(message)
    reason = " ".join((match[2] if match else message).split())[:500]
    return Refused(one.path, int(match[1]) if match else 1, reason)


def _line_of(text: str, name: str) -> int:
    match = re.search(rf"\brule\s+{name}\b", text)
    return text.count("\n", 0, match.start()) + 1 if match else 1


# --------------------------------------------------------------- compiled form
# A file is `vonggac-yara <blake2b of the rest>\n`, the account as one line of JSON, and what libyara wrote.


def _private(cache: Path | None) -> Path | None:
    """Give our folder below `cache`, made when it is not there; None when others could have written in it."""
    if cache is None:
        return None
    place = cache / "yara"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = place.lstat()
    except OSError:
        return None
    ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
    return place if ours else None


def _saved(file: Path) -> tuple[Any, _Account] | None:
    import yara

    try:
        data = file.read_bytes()
    except OSError:
        return None
    head, _, body = data.partition(b"\n")
    if head != _header(body):
        return None
    table, _, compiled = body.partition(b"\n")
    row = orjson.loads(table)
    account = _Account(
        [(space, name, RuleRef(**_tuples(ref))) for space, name, ref in row["refs"]],
        [Refused(**one) for one in row["refused"]],
        row["asks_names"],
    )
    try:
        return (yara.load(file=io.BytesIO(compiled)) if compiled else None), account
    except yara.Error:  # written by another libyara that calls itself the same
        return None


def _tuples(ref: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in ref.items()}


def _save(file: Path, rules: Any, account: _Account) -> None:
    """Write the compiled form whole or not at all; a disk without room costs the next start its time, no more."""
    compiled = io.BytesIO()
    if rules is not None:
        rules.save(file=compiled)
    body = orjson.dumps(account) + b"\n" + compiled.getvalue()
    with suppress(OSError):
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".", suffix=".new", delete=False) as new:
            try:
                new.write(_header(body) + b"\n" + body)
                new.close()
                Path(new.name).replace(file)
            except OSError:
                Path(new.name).unlink()
                raise
        for old in sorted(file.parent.glob("*.yarc"), key=lambda one: one.stat().st_mtime, reverse=True)[KEPT:]:
            old.unlink()


def _header(body: bytes) -> bytes:
    return b"vonggac-yara " + hashlib.blake2b(body, digest_size=32).hexdigest().encode()


_NONE: Final = dict.fromkeys(EXTERNALS, "")
_LINE: Final = re.compile(r"line (\d+): (.*)", re.S)
_TECHNIQUE: Final = re.compile(r"\bT\d{4}(?:\.\d{3})?\b")
_TACTIC: Final = re.compile(r"\bTA\d{4}\b")
