"""What every source sent is counted where it comes in."""

from datetime import UTC, datetime

from vonggac.intake.tally import Tally

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def test_nothing_seen_is_nothing_to_tell() -> None:
    assert list(Tally().take(AT)) == []
