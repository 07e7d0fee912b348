"""What people read, in Vietnamese first: gettext over the catalogue under `vonggac/locale`, ours and click's texts."""

from __future__ import annotations

import gettext as _gettext
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("vi", "en")
_DOMAIN: Final = "vonggac"
_LOCALE: Final = Path(__file__).parent / "locale"


class _Spoken:
    """The language in force; English is what stands in the code."""

    def __init__(self) -> None:
        self.language = "vi"
        self.translations: _gettext.NullTranslations | None = None


_spoken = _Spoken()


def speak(language: str) -> None:
    """Choose the language of everything shown from here on; raises ValueError naming the known ones."""
    if language not in LANGUAGES:
        msg = f"no language {language!r}; known: {', '.join(LANGUAGES)}"
        raise ValueError(msg)
    _spoken.language, _spoken.translations = language, None
    # click says "Usage", "Options" and its errors through gettext's global domain, whose language is the environment's
    _gettext.bindtextdomain(_DOMAIN, str(_LOCALE))
    _gettext.textdomain(_DOMAIN)
    os.environ["LANGUAGE"] = language


def language() -> str:
    """Give the language in force."""
    return _spoken.language


def _(message: str) -> str:
    """Give a message in the language in force; English when the catalogue lacks it."""
    if _spoken.translations is None:
        _spoken.translations = _gettext.translation(_DOMAIN, _LOCALE, [_spoken.language], fallback=True)
    return _spoken.translations.gettext(message)


def later(message: str) -> str:
    """Give a message as it is, so that `make messages` finds it; `_` translates it where it is shown."""
    return message


def wanted(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Find the language before anything is shown: `--lang`, `VONGGAC_LANG`, an English locale, else Vietnamese."""
    for here, argument in enumerate(arguments):
        if argument == "--lang" and here + 1 < len(arguments):
            return arguments[here + 1]
        if argument.startswith("--lang="):
            return argument.removeprefix("--lang=")
    if chosen := environ.get("VONGGAC_LANG"):
        return chosen
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if code := environ.get(name):
            return "en" if code.startswith("en") else "vi"
    return "vi"
