"""Personal students beside the global one, on rows that nobody trained on."""

import numpy as np
import pytest

from edgestill.errors import RunError
from edgestill.federation import (
    Surroundings,
    evaluate_personally,
    make_client_app,
    set_message_id,
    world_of,
)
from edgestill.federation.personal import trial
from edgestill.federation.personal.evaluation import summed_up
from edgestill.telemetry import MetricStore
from edgestill.training import Samples


@pytest.fixture
def compared(federate, source_of, tiny_config):
    """Play one round, then compare; give the run, its world and what came of the comparison."""

    def play():
        config = tiny_config(
            federation={"rounds": 1},
            evaluation={"held_out_share": 0.5, "personal_epochs": 3},
        )
        run, world = federate(config), world_of(config)
        around = Surroundings(
            world=world, source=source_of(config), store=MetricStore(), observer=run.seen
        )
        return run, world, lambda: evaluate_personally(run.grid, around, run.state, run.members)

    return play


def test_both_students_are_scored_on_each_devices_own_rows(compared):
    _, world, compare = compared()
    found = compare()
    sizes = [world.held_out.size_of(device) for device in range(len(world.held_out))]
    assert found["held_out_samples"] == sum(sizes) > 0
    assert found["devices"] == sum(map(bool, sizes))
    assert found["devices_without_answer"] == 0
    scores = [found[f"{name}_student"]["balanced_accuracy"] for name in ("global", "personal")]
    assert found["balanced_accuracy_gain"] == pytest.approx(scores[1] - scores[0])
    assert found["downlink_bytes"]["knowledge"] > 0
    assert compare() == found


def test_held_out_rows_are_read_only_to_be_tested_on(compared, monkeypatch):
    trained, tested = [], []
    read = Samples.of

    def noted(rows_read):
        def of(dataset, rows):
            rows_read.append(rows)
            return read(dataset, rows)

        return of

    class OfTraining(Samples):
        of = staticmethod(noted(trained))

    class OfTests(Samples):
        of = staticmethod(noted(tested))

    monkeypatch.setattr("edgestill.federation.device.part.Samples", OfTraining)
    monkeypatch.setattr(trial, "Samples", OfTests)
    run, world, compare = compared()
    compare()
    held = np.concatenate(list(world.held_out))
    assert run.rows[0]["completed"] == len(world.owned)
    assert len(trained) == 2 * len(world.owned)
    assert not np.isin(np.concatenate(trained), held).any()
    np.testing.assert_array_equal(np.sort(np.concatenate(tested)), np.sort(held))


def test_nothing_is_compared_where_nothing_is_held_out(federate, source_of, tiny_config):
    config = tiny_config(federation={"rounds": 1})
    run = federate(config)
    around = Surroundings(
        world=world_of(config),
        source=source_of(config),
        store=MetricStore(),
        observer=run.seen,
    )
    assert evaluate_personally(run.grid, around, run.state, run.members) == {}


def test_a_comparison_to_which_nobody_answers_says_why(compared, monkeypatch):
    def broken(*_):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("edgestill.federation.device.app.trial_metrics", broken)
    _, _, compare = compared()
    with pytest.raises(RunError, match="none of 6 devices answered: RuntimeError: the disk is"):
        compare()


def test_a_score_counts_every_class_alike():
    score = trial.Balanced.of(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1]))
    assert score.accuracy == pytest.approx(4 / 5)
    assert score.balanced_accuracy == pytest.approx((1 + 1 / 2) / 2)


def test_every_device_counts_once():
    trials = [
        {
            "device": device,
            "held-out-examples": size,
            "global-accuracy": low,
            "global-balanced-accuracy": low,
            "personal-accuracy": high,
            "personal-balanced-accuracy": high,
            "downlink-model-bytes": 10,
            "downlink-knowledge-bytes": 1,
        }
        for device, size, low, high in ((0, 1, 0.0, 1.0), (1, 99, 0.5, 0.4), (2, 5, 0.3, 0.3))
    ]
    found = summed_up(trials, asked=4, epochs=2)
    assert found["global_student"]["balanced_accuracy"] == pytest.approx(0.8 / 3)
    assert found["personal_student"]["balanced_accuracy"] == pytest.approx(1.7 / 3)
    assert (found["devices_better"], found["devices_worse"]) == (1, 1)
    assert found["devices_without_answer"] == 1
    assert found["by_device"] == {
        "device": [0, 1, 2],
        "global_balanced_accuracy": [0.0, 0.5, 0.3],
        "personal_balanced_accuracy": [1.0, 0.4, 0.3],
    }
    assert found["downlink_bytes"] == {"model": 30, "knowledge": 3}


def test_devices_that_train_together_tell_what_each_tells_alone(compared, monkeypatch):
    """As cohort actors do: the trials of one shape of work in one call."""
    run, world, compare = compared()
    app = make_client_app(world.config)
    alone = compare()

    def together(messages, *, timeout=None):
        messages = list(messages)
        for message in messages:
            set_message_id(message)
        contexts = [run.grid._contexts[message.metadata.dst_node_id] for message in messages]
        return app.many(messages, contexts)

    trained = []
    monkeypatch.setattr(
        "edgestill.federation.device.app.fit", lambda *_: trained.append(1) or pytest.fail("alone")
    )
    monkeypatch.setattr(run.grid, "send_and_receive", together)
    assert compare() == alone
    assert not trained
