"""The nouns of the log's port: what they say to people."""

from datetime import UTC, datetime

from vonggac.logport import Batch, Gap, Part, TooBig

PART = Part("events/collect-0.00112233445566aa/3")


def test_a_part_begins_with_its_topic() -> None:
    batch = Batch(PART, 5, 6, datetime(2026, 3, 1, tzinfo=UTC), [b"{}"])
    assert batch.topic == "events"


def test_a_gap_says_how_many_and_why() -> None:
    assert str(Gap(PART, 3, "deleted by retention")) == f"{PART}: 3 records lost: deleted by retention"
    assert str(Gap(PART, None, "its journal is not there any more")).startswith(f"{PART}: an unknown number of records")


def test_too_big_says_which_and_of_what() -> None:
    assert str(TooBig(2, 20, 10, alone=True)) == "record 2: 20 bytes, at most 10 a record"
    assert str(TooBig(7, 99, 64, alone=False)) == "record 7: 99 bytes, at most 64 a commit"
