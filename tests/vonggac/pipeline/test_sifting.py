"""The record that ends a task is found by halves, in a child that may die."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from vonggac.logport import Batch, Part
from vonggac.pipeline.sifting import culprits, in_hand, sifter, suspects

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Deadly:
    """Dies of what begins with `x`."""

    def __init__(self) -> None:
        self.trials = 0

    def survives(self, records: Sequence[bytes]) -> str:
        self.trials += 1
        return "SIGSEGV" if any(record.startswith(b"x") for record in records) else ""


@given(st.lists(st.sampled_from([b"x", b"a"]), max_size=60))
def test_all_culprits_and_nobody_else(records: list[bytes]) -> None:
    found = culprits(records, Deadly())
    assert found == {index: "SIGSEGV" for index, record in enumerate(records) if record == b"x"}


def test_one_in_a_thousand_takes_few_trials() -> None:
    trial = Deadly()
    assert culprits([b"a"] * 700 + [b"x"] + [b"a"] * 299, trial) == {700: "SIGSEGV"}
    assert trial.trials <= 2 * 10 + 1


def test_what_only_dies_together_is_given_up_for_nothing() -> None:
    class Pair:
        def survives(self, records: Sequence[bytes]) -> str:
            return "SIGKILL" if len(records) > 1 else ""

    assert culprits([b"a", b"b"], Pair()) == {}


def test_only_suspected_batches_are_tried() -> None:
    bad = Batch(Part("events/collect-0.1/3"), 40, 42, AT, [b"a", b"x"])
    other = Batch(Part("events/collect-0.1/4"), 40, 42, AT, [b"a", b"x"])
    sift = sifter(suspects(in_hand([bad])), Deadly(), "detect")
    assert sift(other) == {}
    assert sift(bad) == {41: "it ended the task `detect` three times (SIGSEGV): put aside"}


def test_a_page_names_batches_as_far_as_they_were_kept() -> None:
    batches = [Batch(Part(f"events/c.1/{shard}"), 7 * shard, 9, AT, []) for shard in range(3)]
    assert suspects(in_hand(batches)) == {("events/c.1/0", 0), ("events/c.1/1", 7), ("events/c.1/2", 14)}
    assert suspects("events/c.1/0 12;events/c") == {("events/c.1/0", 12)}
    assert suspects("") == frozenset()
