"""The account of a run: counts add up, travel between processes, and make the summary."""

import orjson

from vonggac.pipeline.job import Outcome, Rules, Tally


def test_tallies_add_up_and_travel() -> None:
    one, two = Tally(inputs=1, events=5, rss_mb=90), Tally(inputs=2, events_failed=1, rss_mb=80)
    one.by_rule["r1"] += 2
    two.by_rule["r1"] += 1
    one.add(Tally.from_json(orjson.dumps(two)))
    assert (one.inputs, one.events, one.events_failed, one.rss_mb) == (3, 5, 1, 90)
    assert one.by_rule == {"r1": 3}


def test_a_run_is_complete_when_everything_was_judged() -> None:
    rules = Rules(1, ())
    assert Outcome(Tally(events=1), [], rules, 1.0).complete
    assert Outcome(Tally(events_failed=2, events_kept=2), [], rules, 1.0).complete
    assert not Outcome(Tally(events_failed=2, events_kept=1), [], rules, 1.0).complete
    assert not Outcome(Tally(), [{"path": "x", "reason": "y"}], rules, 1.0).complete


def test_the_summary_has_the_promised_keys() -> None:
    summary = Outcome(Tally(inputs=1), [], Rules(3, ({"path": "a.yml", "line": 7, "reason": "x"},)), 1.23456).summary()
    promised = ["inputs", "inputs_failed", "events", "events_failed", "by_collector", "alerts", "by_rule", "by_level"]
    promised += ["rules_loaded", "rules_refused", "seconds", "rss_mb"]
    assert set(promised) <= set(summary)
    assert summary["seconds"] == 1.235
