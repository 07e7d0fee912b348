"""Every message that people may see stands in the Vietnamese catalogue, whole, and the compiled form is up to date."""

from __future__ import annotations

import ast
import gettext
import io
import string
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from vonggac import i18n

if TYPE_CHECKING:
    from tests.conftest import Ran

ROOT = Path(__file__).parents[2]
PO = ROOT / "vonggac" / "locale" / "vi" / "LC_MESSAGES" / "vonggac.po"
SOURCES = sorted(
    path for top in ("vonggac", "collectors", "detectors", "connectors") for path in ROOT.glob(f"{top}/**/*.py")
)
MEND = "run `make messages`, write what stands empty in the .po, run it again"


@pytest.fixture(scope="module")
def vietnamese() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="vi", abort_invalid=True)


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Give `speak`, and put the language back afterwards."""
    monkeypatch.setenv("LANGUAGE", "en")
    before, domain = i18n.language(), gettext.textdomain()
    yield i18n.speak
    i18n.speak(before)
    gettext.textdomain(domain)


def asked(path: Path) -> Iterator[str]:
    """Yield the constant messages that a source file gives to `_` and `later`, those inside f-strings too."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "later"):
            (argument,) = node.args
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value


def of_click() -> Iterator[str]:
    for _file, _line, message, _comments, _context in extract_from_dir(Path(click.__file__).parent):
        yield message if isinstance(message, str) else message[0]


def texts(message: Message) -> tuple[str, ...]:
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def placeholders(*parts: str) -> set[str]:
    return {
        f"{name}!{how}"
        for part in parts
        for _text, name, _spec, how in string.Formatter().parse(part)
        if name is not None
    }


def test_every_message_of_the_source_is_in_the_catalogue(vietnamese: Catalog) -> None:
    ours = {message for path in SOURCES for message in asked(path)}
    assert len(ours) > 80
    assert sorted(message for message in ours if message not in vietnamese) == [], MEND


def test_every_message_of_click_is_in_the_catalogue(vietnamese: Catalog) -> None:
    assert sorted(message for message in set(of_click()) if message not in vietnamese) == [], MEND


def test_the_catalogue_holds_nothing_that_nobody_asks_for(vietnamese: Catalog) -> None:
    known = {message for path in SOURCES for message in asked(path)} | set(of_click())
    ids = [one.id if isinstance(one.id, str) else one.id[0] for one in vietnamese if one.id]
    assert sorted(one for one in ids if one not in known) == [], MEND
    assert not vietnamese.obsolete, MEND


def test_every_message_is_translated_and_certain(vietnamese: Catalog) -> None:
    wrong = [one.id for one in vietnamese if one.id and (one.fuzzy or not all(texts(one)))]
    assert wrong == [], MEND


def test_vietnamese_is_composed(vietnamese: Catalog) -> None:
    assert [one.id for one in vietnamese for text in texts(one) if not unicodedata.is_normalized("NFC", text)] == []


def test_a_translation_has_the_placeholders_of_its_message(vietnamese: Catalog) -> None:
    """One Vietnamese form serves English singular and plural: it may use what either has."""
    for one in vietnamese:
        if isinstance(one.id, str):
            assert placeholders(*texts(one)) == placeholders(one.id), one.id
        else:
            assert placeholders(*texts(one)) <= placeholders(*one.id), one.id


def test_the_catalogue_names_no_path_and_no_line() -> None:
    text = PO.read_text("utf-8")
    assert "\n#: " not in text
    assert "site-packages" not in text


def test_the_compiled_catalogue_is_that_of_the_text(vietnamese: Catalog) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, vietnamese)
    assert PO.with_suffix(".mo").read_bytes() == compiled.getvalue(), "run `make messages`"


def test_messages_are_spoken_in_the_language_chosen(spoken: Callable[[str], None]) -> None:
    spoken("vi")
    assert i18n._("no alerts") == "không có cảnh báo nào"
    assert i18n._(i18n.later("level")) == "mức"
    spoken("en")
    assert i18n._("no alerts") == "no alerts"


def test_a_message_without_translation_is_english(spoken: Callable[[str], None]) -> None:
    spoken("vi")
    assert i18n._("nobody has written this") == "nobody has written this"


def test_an_unknown_language_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no language 'fr'; known: vi, en"):
        i18n.speak("fr")


@pytest.mark.parametrize(
    ("arguments", "environ", "language"),
    [
        ([], {}, "vi"),
        ([], {"LANG": "C.UTF-8"}, "vi"),
        ([], {"LANG": "en_US.UTF-8"}, "en"),
        ([], {"LANG": "en_US.UTF-8", "LC_ALL": "vi_VN.UTF-8"}, "vi"),
        ([], {"LANG": "en_US.UTF-8", "VONGGAC_LANG": "vi"}, "vi"),
        (["scan", "--lang", "en", "x"], {"VONGGAC_LANG": "vi"}, "en"),
        (["--lang=en"], {}, "en"),
    ],
)
def test_the_language_is_known_before_anything_is_shown(
    arguments: list[str], environ: dict[str, str], language: str
) -> None:
    assert i18n.wanted(arguments, environ) == language


def test_help_is_vietnamese_to_the_last_line(vonggac: Callable[..., Ran]) -> None:
    """Click's own words too: "Usage:", "Options:", "Show this message and exit."."""
    shown = vonggac("scan", "--help", environ={"VONGGAC_LANG": "vi"}).out
    assert shown.startswith("Cách dùng: vonggac scan")
    assert "Tùy chọn:" in shown
    assert "Hiện hướng dẫn này rồi thoát." in shown


def test_an_error_of_click_is_vietnamese(vonggac: Callable[..., Ran]) -> None:
    ran = vonggac("scan", "--workers", "0", "x", environ={"VONGGAC_LANG": "vi"})
    assert ran.status == 2
    assert ran.err.startswith("vonggac: Giá trị của '--workers' không hợp lệ")


def test_english_is_at_hand(vonggac: Callable[..., Ran]) -> None:
    assert vonggac("--lang", "en", "--help", environ={"VONGGAC_LANG": "vi"}).out.startswith("Usage: vonggac")
