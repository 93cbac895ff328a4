"""Gates: hardness without Sedna's faults, thresholds that keep their word, budgets that hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgestill.errors import InputError
from edgestill.inference import gates

SURE, TORN = [0.98, 0.01, 0.01], [0.4, 0.35, 0.25]


@pytest.mark.parametrize(
    "rule", [gates.least_confidence, gates.normalised_entropy, gates.smallest_margin]
)
def test_a_torn_answer_is_harder_than_a_sure_one(rule):
    sure, torn = rule(gates.Answers(probabilities_NK=np.array([SURE, TORN])))
    assert 0.0 <= sure < torn <= 1.0


def test_entropy_of_certainty_is_zero_and_of_no_idea_is_one():
    certain, none = gates.normalised_entropy(
        gates.Answers(probabilities_NK=np.array([[1.0, 0.0], [0.5, 0.5]]))
    )
    assert certain == 0.0
    assert none == pytest.approx(1.0)


def test_entropy_of_a_single_class_is_zero():
    assert gates.normalised_entropy(gates.Answers(probabilities_NK=np.ones((2, 1)))).tolist() == [
        0,
        0,
    ]


def test_an_image_without_detections_is_hard():
    answers = gates.detected([[], [0.9, 0.95], [0.9, 0.2]])
    assert gates.unsure_boxes(0.5)(answers).tolist() == [1.0, 0.0, 0.5]
    assert gates.mean_box_doubt(answers) == pytest.approx([1.0, 0.075, 0.45])


def test_many_unsure_boxes_are_harder_than_few_and_sure_ones_or_none_are_easy():
    answers = gates.detected([[], [0.99, 0.99], [0.5], [0.5, 0.5, 0.5]])
    none, sure, one, three = gates.box_variance(answers)
    assert (none, one) == (0.0, 0.2)
    assert none < sure < one < three < 1.0


def test_a_rule_for_classes_refuses_detections_in_one_line():
    with pytest.raises(InputError, match="class probabilities"):
        gates.least_confidence(gates.detected([[0.5]]))


def test_a_curve_runs_from_the_edge_alone_to_the_cloud_alone():
    found = gates.curve(np.array([0.9, 0.1, 0.5]), np.array([0, 1, 0]), np.array([1, 1, 1]))
    assert found.offload_rates == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert found.accuracies == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert found.recalls == pytest.approx([0, 0.5, 1, 1])


def test_inputs_of_equal_hardness_go_together():
    found = gates.curve(np.array([0.5, 0.5, 0.1]), np.zeros(3), np.ones(3))
    assert found.offload_rates == pytest.approx([0, 2 / 3, 1])


answers = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans()), min_size=1)


@given(answers, st.floats(0, 1))
def test_a_threshold_for_a_rate_never_offloads_more(rows, rate):
    hard, edge, cloud = (np.array(column, float) for column in zip(*rows, strict=True))
    threshold = gates.for_offload_rate(gates.curve(hard, edge, cloud), rate)
    assert np.mean(hard > threshold) <= rate + 1e-9


@given(answers)
def test_a_threshold_for_an_accuracy_reaches_it_with_the_fewest_inputs(rows):
    hard, edge, cloud = (np.array(column, float) for column in zip(*rows, strict=True))
    found = gates.curve(hard, edge, cloud)
    wanted = float(np.median(found.accuracies))
    threshold = gates.for_accuracy(found, wanted)
    offloaded = hard > threshold
    assert np.where(offloaded, cloud, edge).mean() >= wanted - 1e-9
    fewer = found.offload_rates < offloaded.mean() - 1e-9
    assert not (found.accuracies[fewer] >= wanted).any()


@given(answers)
def test_no_order_beats_the_oracle_anywhere(rows):
    hard, edge, cloud = (np.array(column, float) for column in zip(*rows, strict=True))
    best = gates.curve(gates.oracle(edge, cloud), edge, cloud)
    other = gates.curve(hard, edge, cloud)
    for rate, accuracy in zip(other.offload_rates, other.accuracies, strict=True):
        assert best.accuracy_at(rate) >= accuracy - 1e-9


def test_an_accuracy_beyond_reach_is_refused_with_the_best_there_is():
    found = gates.curve(np.array([0.2, 0.4]), np.array([0, 0]), np.array([1, 0]))
    with pytest.raises(InputError, match=r"accuracy 0\.9 .* the best is 0\.5"):
        gates.for_accuracy(found, 0.9)


def test_a_learned_gate_finds_the_class_that_only_the_cloud_knows():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(600, 3))
    answered = logits.argmax(axis=1)
    edge_right = answered != 2
    learned = gates.learn_hardness(gates.classified(logits), edge_right, np.ones(600, bool))
    hardness = learned(gates.classified(logits))
    assert hardness[answered == 2].min() > hardness[answered != 2].max()


def test_where_nothing_can_be_gained_all_inputs_are_alike():
    logits = np.random.default_rng(0).normal(size=(20, 3))
    learned = gates.learn_hardness(gates.classified(logits), np.ones(20, bool), np.ones(20, bool))
    assert len(set(learned(gates.classified(logits)))) == 1


def test_a_learned_gate_keeps_what_only_the_edge_gets_right():
    logits = np.random.default_rng(0).normal(size=(600, 3))
    answered = logits.argmax(axis=1)
    learned = gates.learn_hardness(gates.classified(logits), answered != 2, answered != 1)
    hardness = learned(gates.classified(logits))
    kept, alike, gained = (hardness[answered == label] for label in (1, 0, 2))
    assert kept.max() < alike.min() < alike.max() < gained.min()


def test_a_learned_gate_of_detections_sends_pictures_in_which_little_is_sure():
    rng = np.random.default_rng(2)
    rows = [rng.random(rng.integers(0, 5)) for _ in range(300)]
    worst = np.array([row.min(initial=1.0) for row in rows])
    learned = gates.learn_hardness(gates.detected(rows), worst, np.ones(300))
    sure, torn, nothing = learned(gates.detected([[0.95, 0.9], [0.9, 0.1, 0.2], []]))
    assert sure < torn
    assert 0.0 <= nothing <= 1.0


def test_a_temperature_changes_doubts_and_not_answers_of_one_class_alone():
    answers = gates.Answers(probabilities_NK=np.array([SURE, TORN, [1.0, 0.0, 0.0]]))
    plain, hot = gates.least_confidence(answers), gates.calibrated(3.0)(answers)
    assert gates.calibrated(1.0)(answers) == pytest.approx(plain)
    assert (hot[:2] > plain[:2]).all()
    assert hot[2] == pytest.approx(0.0)


def test_an_overconfident_model_is_given_a_temperature_above_one():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 2000)
    logits = np.eye(3)[np.where(rng.random(2000) < 0.7, labels, rng.integers(0, 3, 2000))] * 10
    assert gates.fitted_temperature(logits, labels) > 2.0
    assert gates.fitted_temperature(logits / 100, labels) < 1.0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 2), st.integers(1, 100)), max_size=60))
def test_a_byte_budget_holds_over_every_window(arrivals):
    gate = gates.BudgetedGate(threshold=0.3, window_s=5.0, bytes_per_window=150)
    now, sent = 0.0, []
    for hardness, wait_s, size in arrivals:
        now += wait_s
        if gate.decide(hardness, size, now):
            sent.append((now, size))
            assert hardness > 0.3
        assert sum(size for at, size in sent if at > now - 5.0) <= 150


def test_a_share_of_half_offloads_every_other_hard_input():
    gate = gates.BudgetedGate(threshold=0.0, window_s=100.0, share=0.5)
    assert [gate.decide(1.0, 1, float(step)) for step in range(6)] == [False, True] * 3


def test_a_deadline_counts_the_link_and_the_cloud():
    link = gates.Link(bandwidth_bytes_per_s=50e3, round_trip_s=0.02, cloud_s=0.01)
    assert link.answer_s(1000) == pytest.approx(0.05)
    assert gates.in_time(link, 1000, 0.051)
    assert not gates.in_time(link, 2000, 0.051)
