"""Our own rules have Vietnamese titles, and tables use them."""

from vonggac.cli.titles import titles


def test_every_rule_of_ours_has_one() -> None:
    found = titles("vi")
    assert len(found) == 31, "25 Sigma, 5 YARA and EICAR"
    assert "Tệp thử EICAR" in found.values()
    assert titles("en") == {}
