"""Real kills in the gate: every step of a commit in both roles, and at random; `make kill-test` has hundreds."""

from connectors.embedded_log import STEPS
from tests.bench.kill_log import RANDOM, ROLES, campaign, rounds


def test_the_plan_has_every_step_of_both_roles_and_random_ones() -> None:
    places = {(one.victim, one.step) for one in rounds(24, 1)}
    assert places == {(role, step) for role in ROLES for step in (*STEPS, RANDOM)}


def test_nothing_acknowledged_is_lost_and_nothing_doubled() -> None:
    assert campaign(24, seed=20260301) == 48
