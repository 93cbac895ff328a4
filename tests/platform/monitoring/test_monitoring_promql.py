"""PromQL from declared names: a typo fails where it is made."""

import pytest

from edgestill.monitoring.promql import one_hot, rate, selector, series, sum_of
from edgestill.monitoring.rules import chosen, recorded


def test_a_selector_follows_the_variables_that_a_metric_has_labels_for():
    assert series("edgestill_round") == 'edgestill_round{run=~"$run"}'
    assert (
        series("edgestill_group_devices")
        == 'edgestill_group_devices{run=~"$run",profile=~"$profile",group=~"$group"}'
    )
    assert selector("edgestill_round") == "edgestill_round"
    assert (
        selector("edgestill_group_decision", state="held|safe")
        == 'edgestill_group_decision{state=~"held|safe"}'
    )


def test_a_counter_is_summed_after_its_rate():
    assert (
        rate("edgestill_energy_joules_total", "group")
        == 'sum by (run, group) (rate(edgestill_energy_joules_total{run=~"$run",group=~"$group"}'
        "[$__rate_interval]))"
    )
    assert sum_of("edgestill_round") == 'sum by (run) (edgestill_round{run=~"$run"})'


def test_the_one_that_is_1_is_found_by_its_place():
    assert one_hot(["a", "b"], "group") == "max by (run, group) (0 * a or 1 * b)"


@pytest.mark.parametrize(
    ("name", "part", "labels", "complaint"),
    [
        ("edgestill_rounds", "", {}, "no such metric"),
        ("edgestill_round", "bucket", {}, "has no part"),
        ("edgestill_round_wall_seconds", "", {}, "has no part"),
        ("edgestill_round_wall_seconds", "max", {}, "has no part"),
        ("edgestill_round", "", {"group": "phones"}, "no label group"),
        ("edgestill_group_level", "", {"levels": "low"}, "no label levels"),
    ],
)
def test_a_typo_fails(name, part, labels, complaint):
    for make in (selector, series):
        with pytest.raises(ValueError, match=complaint):
            make(name, part=part, **labels)


def test_what_no_rule_records_cannot_be_used():
    assert chosen("run:edgestill_rounds:rate1m") == 'run:edgestill_rounds:rate1m{run=~"$run"}'
    with pytest.raises(ValueError, match="no such rule"):
        recorded("run:edgestill_rounds:rate2m")
