"""Training of joint models: what each loss is, and that knowledge goes both ways."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from joint_models import blobs, family

from edgestill.config import JointConfig
from edgestill.config.joint import GateConfig, Rule
from edgestill.inference.detection import EdgeDetector
from edgestill.inference.gates import curve
from edgestill.inference.joint import Classification
from edgestill.inference.joint.model import RULES
from edgestill.inference.joint.pictures import PictureEdge
from edgestill.inference.joint.training import (
    Lessons,
    Plan,
    Sets,
    boosted,
    calibrate,
    feature_distance,
    fit_edge,
    planned,
    tokens_of,
    train_joint,
    varied_tokens_of,
)
from edgestill.inference.joint.ways import run_ways
from edgestill.inference.one_cycle import step_count

CONFIG = JointConfig(
    cloud_epochs=3,
    fog_epochs=3,
    edge_epochs=5,
    adaptation={"epochs": 5, "rate_weights": (1.0, 0.02)},
    gate={"wanted": "offload_rate", "value": 0.3},
)


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def sets():
    return Sets(public=blobs(448, seed=1), validation=blobs(200, seed=2))


@pytest.fixture(scope="module")
def trained(sets):
    lines = []
    found = train_joint(family(), sets, CONFIG, lines.append)
    assert [line.partition("'")[0] for line in lines[:3]] == ["cloud", "fog", "edge"]
    return found


@pytest.fixture(scope="module")
def ran(trained):
    return run_ways(trained, blobs(200, seed=3))


def test_every_way_of_every_tier_answers_well(ran):
    targets = blobs(200, seed=3).targets_n
    for tier in ("cloud", "fog"):
        scores = ran[tier].scores(Classification(classes=4), targets)
        assert len(scores) == 4
        assert min(scores) > 0.8


def test_a_coarser_rate_and_the_edge_send_less(trained, ran):
    sent = [float(way.mean()) for way in ran["cloud"].bytes_sent]
    assert sent[0] == 0.0
    assert sent == sorted(sent)
    assert list(trained.bytes_by_rate) == sorted(trained.bytes_by_rate)


def test_features_take_fewer_operations_of_the_cloud_than_inputs(ran):
    edge, features, _, whole = ran["cloud"].cloud_flops
    assert edge == 0.0
    assert 0.0 < features < whole
    assert ran["cloud"].edge_flops[1] > ran["cloud"].edge_flops[0]
    assert ran["fog"].cloud_flops[-1] < whole


def test_the_outcomes_are_those_of_the_frames(ran):
    task, targets = Classification(classes=4), blobs(200, seed=3).targets_n
    outcomes = ran["cloud"].outcomes(task, targets)
    assert [way.name for way in outcomes.ways] == [
        "edge",
        "features at rate 0",
        "features at rate 1",
        "input",
    ]
    assert outcomes.edge.right.mean() == ran["cloud"].scores(task, targets)[0]


def test_the_same_seed_gives_the_same_model_and_another_seed_another(sets):
    short = {"epochs": 0.3, "rate_weights": (0.1,)}
    config = JointConfig(cloud_epochs=0.3, fog_epochs=0, edge_epochs=0.3, adaptation=short)
    first, again = (train_joint(family(), sets, config, lambda _: None) for _ in range(2))
    assert again.codec.fingerprint == first.codec.fingerprint
    assert (again.gate, again.bytes_by_rate) == (first.gate, first.bytes_by_rate)
    other = config.model_copy(update={"seed": 8})
    found = train_joint(family(), sets, other, lambda _: None)
    assert found.codec.fingerprint != first.codec.fingerprint


@pytest.fixture(scope="module")
def doubtful(trained):
    """Samples that the edge gets wrong at times, and what each way gives for them."""
    samples = blobs(300, seed=6, noise=140.0)
    return samples, run_ways(trained, samples)["cloud"]


def _handed_on(trained, samples, ran, wanted, value):
    model = calibrate(trained, samples, GateConfig(wanted=wanted, value=value))
    return model.gate.hardness(ran.answers(model.task("edge"))) > model.gate.threshold


def test_a_gate_keeps_to_an_offload_rate(trained, doubtful):
    handed_on = _handed_on(trained, *doubtful, "offload_rate", 0.3)
    assert 0.0 < handed_on.mean() <= 0.3


def test_a_gate_hands_on_what_the_edge_misses_of_the_watched_class(trained, doubtful):
    samples, ran = doubtful
    right = trained.task("edge").right(ran.outputs[0], samples.targets_n)
    missed = (right == 0) & samples.watched_n
    assert missed.sum() > 5
    handed_on = _handed_on(trained, samples, ran, "recall", 0.8)
    assert handed_on[missed].mean() >= 0.8
    assert not handed_on.all()


def test_a_gate_reaches_a_share_of_the_clouds_accuracy_or_the_best_there_is(trained, doubtful):
    samples, ran = doubtful
    task, truth = trained.task("edge"), samples.targets_n
    edge, features, whole = (task.right(ran.outputs[way], truth) for way in (0, -2, -1))
    calm = calibrate(trained, samples, GateConfig()).task("edge")
    best = curve(RULES["least_confidence"](ran.answers(calm)), edge, features).accuracies.max()
    for share in (0.9, 1.0):
        handed_on = _handed_on(trained, samples, ran, "accuracy", share)
        reached = np.where(handed_on, features, edge).mean()
        assert reached >= min(share * whole.mean(), best) - 1e-9


def test_a_fog_with_its_cloud_keeps_nearly_what_the_cloud_reaches_on_what_it_is_handed(trained):
    samples = blobs(300, seed=6, noise=140.0)
    model = calibrate(trained, samples, GateConfig(wanted="offload_rate", value=0.6))
    ran, truth = run_ways(model, samples), samples.targets_n
    handed_on = model.gate.hardness(ran["cloud"].answers(model.task("edge"))) > model.gate.threshold
    fog, cloud = (ran[tier].outputs[-2] for tier in ("fog", "cloud"))
    sure = np.array([answer.confidence for answer in model.task("fog").told(fog, "fog")])
    own, its = (model.task("fog").right(outputs, truth) for outputs in (fog, cloud))
    both = np.where(1.0 - sure > model.fog_doubt, its, own)
    assert both[handed_on].mean() >= 0.99 * its[handed_on].mean() - 1e-9
    assert 0.0 <= model.fog_doubt <= 1.0


def test_temperatures_are_those_of_each_tier(trained):
    assert set(trained.temperatures) == {"edge", "cloud", "fog"}
    assert trained.task("edge").temperature == trained.temperatures["edge"]


def test_the_edge_is_given_the_trained_cloud_before_it_is_trained(sets, monkeypatch):
    begun = []

    def noted(network, cloud):
        begun.append((network.head.training, cloud.training, tuple(cloud.parameters())))

    monkeypatch.setattr(PictureEdge, "inherit", noted)
    config = CONFIG.model_copy(update={"fog_epochs": 0.0, "edge_epochs": 0.2, "cloud_epochs": 0.2})
    found = train_joint(family(), sets, config, lambda _: None)
    ((edge_untrained, cloud_training, weights),) = begun
    assert edge_untrained
    assert not cloud_training
    assert all(map(torch.equal, weights, found.heavier["cloud"].network.parameters()))


def test_recall_boosting_misses_fewer_of_the_watched_class():
    public = blobs(512, seed=4, noise=110.0)
    held_out = replace(public, rows=public.rows[384:], targets_n=public.targets_n[384:])
    learned = replace(public, rows=public.rows[:384], targets_n=public.targets_n[:384])
    nothing = Lessons(outputs=torch.zeros(384, 4), features=torch.zeros(384, 1))
    recalls = []
    for weight in (1.0, 20.0):
        torch.manual_seed(0)
        network, plan = family().edge(), Plan(epochs=2, learning_rate=4e-3, seed=1)
        task = boosted(Classification(classes=4), (0,), weight)
        fit_edge(network, task, learned, nothing, plan, share=0.0)
        with torch.no_grad():
            said = network.answer(network.tokens(held_out.seen(slice(None)))).argmax(dim=1)
        recalls.append(float((said[held_out.targets_n == 0] == 0).float().mean()))
    assert recalls[0] + 0.1 < recalls[1]


def test_distillation_is_hintons():
    task = Classification(classes=2, distillation_temperature=2.0)
    teacher, student = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    p = torch.softmax(teacher / 2, dim=1)
    expected = 4.0 * float((p * (p.log() - np.log(0.5))).sum())
    assert float(task.distillation(student, teacher)) == pytest.approx(expected, rel=1e-5)
    assert float(task.distillation(teacher, teacher)) == pytest.approx(0.0, abs=1e-6)


def test_features_are_compared_by_direction_alone():
    first = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    assert float(feature_distance(first, 3.0 * first)) == pytest.approx(0.0)
    apart = feature_distance(first, torch.tensor([[0.0, 5.0], [1.0, 0.0]]))
    assert float(apart) == pytest.approx(2.0 / np.sqrt(2.0))


def test_boosting_keeps_the_mean_weight():
    weights = Classification(classes=4).boosted((1, 2), 5.0).class_weights
    assert np.mean(weights) == pytest.approx(1.0)
    assert weights[1] / weights[0] == pytest.approx(5.0)


@pytest.mark.parametrize(("count", "steps"), [(8192, 128), (2048, 64), (8, 1)])
def test_few_samples_are_learned_in_smaller_batches_and_so_in_more_steps(count, steps):
    plan = planned(count, epochs=1.0, learning_rate=1e-3, seed=0)
    assert step_count(count, plan) == steps


def test_every_rule_that_a_configuration_takes_is_there():
    assert set(Rule.__args__) == set(RULES)


def test_tokens_vary_in_each_step_as_in_the_networks_own_training_and_leave_it_as_it_is():
    torch.manual_seed(0)
    network, rows = EdgeDetector(4, side_pixels=16), np.arange(8)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    made = varied_tokens_of(network, blobs(8, seed=5))
    assert not torch.equal(made(rows), made(rows))
    assert not any(part.training for part in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_tokens_of_a_network_that_varies_nothing_are_those_that_it_sends():
    network, samples, rows = family().edge(), blobs(8, seed=5), np.array([1, 6])
    made = varied_tokens_of(network, samples)
    assert torch.equal(made(rows), tokens_of(network, samples)[rows])
