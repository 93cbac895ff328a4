"""Personal students beside the global one at the end of a run on the fleet of actors."""

import pytest

HELD_OUT = ("evaluation.held_out_share=0.5", "federation.rounds=2")


@pytest.mark.parametrize("more", [(), ("training.personal=[classifier]",)])
def test_the_comparison_does_not_depend_on_the_number_of_actors(run_here, more):
    reports = [run_here(*HELD_OUT, *more, f"engine.cohorts={cohorts}") for cohorts in (1, 3)]
    one, three = (report["final"]["personal"] for report in reports)
    assert one == three
    assert one["held_out_samples"] >= one["devices"] > 1
    told = {row["what"]: row["epsilon"] for row in reports[0]["privacy"]["leaves_device"]}
    assert told["held-out scores"] is None


def test_a_run_that_holds_nothing_out_compares_nothing(reference):
    assert "personal" not in reference["final"]
