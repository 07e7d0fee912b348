"""Our own rules have Vietnamese titles, and tables use them."""

from vonggac.cli.titles import titles
from vonggac.health.rules import RULES
from vonggac.i18n import speak


def test_every_rule_of_ours_has_one() -> None:
    found = titles("vi")
    of_files = found.keys() - RULES.keys()
    assert len(of_files) == 31, "25 Sigma, 5 YARA and EICAR"
    assert "Tệp thử EICAR" in found.values()
    assert titles("en") == {}


def test_those_of_source_health_are_translated() -> None:
    speak("vi")
    try:
        found = titles("vi")
    finally:
        speak("en")
    assert [name for rule, (name, _level) in RULES.items() if found[rule] == name] == []
