"""The Vietnamese titles of our own rules, for tables: of rule files (`title_vi`); source health's, by the catalogue."""

from __future__ import annotations

import importlib.resources
import re
from typing import Final

from vonggac.health import rules
from vonggac.i18n import _

#: both forms: `id: …` and `  title_vi: …` of Sigma, `id = "…"` and `title_vi = "…"` of YARA
_ID: Final = re.compile(r"""^\s*id\s*[:=]\s*["']?([0-9a-f-]{36})["']?\s*$""", re.MULTILINE)
_TITLE: Final = re.compile(r"""^\s*title_vi\s*[:=]\s*["']?(.*?)["']?\s*$""", re.MULTILINE)


def titles(language: str) -> dict[str, str]:
    """Give rule id -> title in the language; empty for English, whose titles are the rules' own."""
    if language != "vi":
        return {}
    found = {rule: _(name) for rule, (name, _level) in rules.RULES.items()}
    waiting = [importlib.resources.files("rules")]
    while waiting:
        for one in waiting.pop().iterdir():
            if one.is_dir():
                waiting.append(one)
            elif one.name.endswith((".yml", ".yar")):
                text = one.read_text("utf-8")
                if (rule := _ID.search(text)) and (title := _TITLE.search(text)):
                    found[rule[1]] = title[1]
    return found
