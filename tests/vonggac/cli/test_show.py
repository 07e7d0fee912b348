"""What is shown: nothing of a log line reaches the terminal raw."""

import pytest

from vonggac.cli.show import cell, local, safe


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("exe.\u202egnp", "exe.\\u202egnp"),
        ("a\u200bb\u2028c", "a\\u200bb\\u2028c"),
        ("lone \udcff", "lone \\udcff"),
        ("\x9b31m", "\\x9b31m"),
        ("Đường dẫn 🙂", "Đường dẫn 🙂"),
    ],
)
def test_controls_are_shown_not_obeyed(hostile: str, shown: str) -> None:
    assert safe(hostile) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(1)", "'@SUM(1)"), ("＝1", "'＝1"), ("\t=1", "\\t=1"),
     ("\r\n=1", "\\r\\n=1"), ("a=1", "a=1"), (None, ""), (12, "12")],
)  # fmt: skip
def test_no_cell_of_csv_is_a_formula(value: object, shown: str) -> None:
    assert cell(value) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-03-01T20:00:00.5Z", "2026-03-02 03:00:00"),
        ("2026-03-01T20:00:00", "2026-03-02 03:00:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ("yesterday", "yesterday"),
        ("", ""),
    ],
)
def test_times_are_shown_in_viet_nam(text: str, shown: str) -> None:
    assert local(text) == shown
