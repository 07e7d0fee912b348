"""What a person says about inputs: log sources and times, read strictly."""

from datetime import UTC, datetime

import pytest

from vonggac.cli import Unusable
from vonggac.cli.inputs import given_logsource, moment
from vonggac.event import LogSource

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


def test_a_log_source_is_read() -> None:
    assert given_logsource("product=Windows, category=process_creation") == LogSource("windows", "process_creation")
    assert given_logsource(None) is None


@pytest.mark.parametrize("text", ["", "windows", "product=", "product=a,product=b", "color=red"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Unusable, match="does not fit"):
        given_logsource(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("24h", "2026-03-07T12:00:00.000000Z"),
        ("7d", "2026-03-01T12:00:00.000000Z"),
        ("2026-03-01T08:00:00+07:00", "2026-03-01T01:00:00.000000Z"),
        ("2026-03-01 08:00", "2026-03-01T01:00:00.000000Z"),  # without an offset: Viet Nam's time
        (None, None),
    ],
)
def test_times(text: str | None, time: str | None) -> None:
    assert moment(text, NOW, "--since") == time


@pytest.mark.parametrize("text", ["soon", "24", "999999w", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(Unusable, match="--since"):
        moment(text, NOW, "--since")
