"""The metrics page, read by Prometheus' own parser."""

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from vonggac.pipeline.pages import State
from vonggac.serving.metrics import KNOWN, exposition, labelled

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(page: bytes) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


def test_every_figure_bears_its_role() -> None:
    page = exposition(
        {
            "collect-0": {"events_total": 7, 'events_total{collector="evtx"}': 3},
            "detect-0": {"events_total": 4.5, "rules_loaded": 120},
        }
    )
    assert read(page) == {
        ("vonggac_events_total", (("role", "collect-0"),)): 7,
        ("vonggac_events_total", (("collector", "evtx"), ("role", "collect-0"))): 3,
        ("vonggac_events_total", (("role", "detect-0"),)): 4.5,
        ("vonggac_rules_loaded", (("role", "detect-0"),)): 120,
        ("vonggac_unreadable_figures", ()): 0,
    }


def test_a_figure_of_an_intake_means_what_it_means_elsewhere() -> None:
    page = exposition({"collect-0": {'intake_received_total{intake="syslog-udp"}': 7}}).decode()
    assert "# HELP vonggac_intake_received_total Messages.\n# TYPE vonggac_intake_received_total counter\n" in page


def test_known_figures_have_a_type_and_a_meaning_once() -> None:
    page = exposition({"a": {"events_total": 1, "own_thing": 2}, "b": {"events_total": 1}}).decode()
    assert page.count("# TYPE vonggac_events_total counter\n") == 1
    assert page.count("# HELP vonggac_events_total ") == 1
    assert "# TYPE vonggac_own_thing untyped\n" in page
    assert all(kind == "counter" for name, (kind, _) in KNOWN.items() if name.endswith("_total"))


def test_numbers_beyond_numbers() -> None:
    found = read(exposition({"a": {"x": math.inf, "y": -math.inf, "z": math.nan}}))
    assert found["vonggac_x", (("role", "a"),)] == math.inf
    assert found["vonggac_y", (("role", "a"),)] == -math.inf
    assert math.isnan(found["vonggac_z", (("role", "a"),)])


def test_a_number_with_a_name_is_its_number() -> None:
    assert read(exposition({"a": {"state": State.READY}}))["vonggac_state", (("role", "a"),)] == 1


def test_a_name_that_cannot_be_read_costs_only_itself() -> None:
    strange = ['x{a="b"} 1\nevil 2', "", "a b", 'x{a="', "x{a=b}", "1x", 'x{="b"}', "x\n"]
    found = read(exposition({"a": {**dict.fromkeys(strange, 1.0), "good": 2}}))
    assert found == {("vonggac_good", (("role", "a"),)): 2, ("vonggac_unreadable_figures", ()): len(strange)}


def test_no_figure_can_claim_another_role() -> None:
    assert read(exposition({"a": {'x{role="b",c="d"}': 1}}))["vonggac_x", (("c", "d"), ("role", "a"))] == 1


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_label_values_are_whatever_they_are(value: str, role: str) -> None:
    page = exposition({role: {labelled("x_total", collector=value): 1}})
    samples = [sample for family in text_string_to_metric_families(page.decode()) for sample in family.samples]
    assert [one.labels for one in samples if one.name == "vonggac_x_total"] == [{"role": role, "collector": value}]


@given(st.dictionaries(st.text(), st.floats()))
def test_the_page_can_always_be_read(figures: dict[str, float]) -> None:
    list(text_string_to_metric_families(exposition({"a": figures}).decode()))
