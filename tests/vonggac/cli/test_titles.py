"""Our own rules have Vietnamese titles, and tables use them."""

from vonggac.cli.titles import HEALTH, titles
from vonggac.health.rules import RULES


def test_every_rule_of_ours_has_one() -> None:
    found = titles("vi")
    of_files = found.keys() - RULES.keys()
    assert len(of_files) == 31, "25 Sigma, 5 YARA and EICAR"
    assert "Tệp thử EICAR" in found.values()
    assert titles("en") == {}


def test_those_of_source_health_can_be_translated() -> None:
    assert sorted(HEALTH) == sorted(name for name, _level in RULES.values())
    assert RULES.keys() <= titles("vi").keys()
