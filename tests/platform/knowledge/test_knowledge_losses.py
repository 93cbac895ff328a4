"""Golden values, worked out by hand or in numpy float64, apart from torch."""

import math

import numpy as np
import pytest
import torch

from edgestill.config import LossConfig
from edgestill.knowledge import (
    Coefficients,
    align_loss,
    coefficients,
    distill_loss,
    resource_loss,
    task_loss,
)


def log_softmax(x):
    x = np.asarray(x, np.float64)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def test_task_loss():
    logits = torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0]])
    # The right classes have probability 3/4 and 1/2.
    expected = -(math.log(0.75) + math.log(0.5)) / 2
    assert task_loss(logits, torch.tensor([1, 0])).item() == pytest.approx(expected)


def test_distill_loss_of_logits_by_hand():
    # At tau = 2 the teacher gives (3/4, 1/4), the student (1/2, 1/2).
    teacher = torch.tensor([[2 * math.log(3.0), 0.0]])
    student = torch.tensor([[1.0, 1.0]])
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    loss = distill_loss(student, teacher, {}, {}, temperature=2.0, feature_weight=1.0)
    assert loss.item() == pytest.approx(4 * divergence)


def test_distill_loss_of_features_by_hand():
    logits = torch.zeros(2, 3)
    student = {
        "visual": torch.tensor([[3.0, 0.0], [0.0, 2.0]]),
        "audio": torch.tensor([[1.0, 1.0], [5.0, 0.0]]),
    }
    teacher = {
        "visual": torch.tensor([[7.0, 0.0], [1.0, 0.0]]),
        "audio": torch.tensor([[0.0, 2.0], [-1.0, 0.0]]),
        "sensor": torch.full((2, 2), torch.nan),
    }
    # 2 - 2 cos: visual 0 and 2, audio 2 - sqrt 2 and 4; the unseen sensor plays no part.
    visual, audio = (0 + 2) / 2, (2 - math.sqrt(2) + 4) / 2
    loss = distill_loss(logits, logits, student, teacher, temperature=4.0, feature_weight=0.5)
    assert loss.item() == pytest.approx(0.5 * (visual + audio) / 2, rel=1e-6)


def test_distill_loss_against_float64():
    rng = np.random.default_rng(0)
    student, teacher = rng.normal(size=(2, 5, 7))
    a, b = rng.normal(size=(2, 5, 6))
    teacher_log, student_log = log_softmax(teacher / 4), log_softmax(student / 4)
    divergence = (np.exp(teacher_log) * (teacher_log - student_log)).sum(axis=1).mean()
    unit_a = a / np.linalg.norm(a, axis=1, keepdims=True)
    unit_b = b / np.linalg.norm(b, axis=1, keepdims=True)
    expected = 16 * divergence + 0.3 * ((unit_a - unit_b) ** 2).sum(axis=1).mean()
    loss = distill_loss(
        torch.tensor(student),
        torch.tensor(teacher),
        {"visual": torch.tensor(a)},
        {"visual": torch.tensor(b)},
        temperature=4.0,
        feature_weight=0.3,
    )
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_distill_loss_is_zero_at_the_teacher_and_pulls_towards_it():
    teacher = torch.tensor([[2.0, -1.0, 0.5]])
    student = teacher.clone().requires_grad_()
    loss = distill_loss(student, teacher, {}, {}, temperature=4.0, feature_weight=1.0)
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    moved = torch.zeros(1, 3, requires_grad=True)
    distill_loss(moved, teacher, {}, {}, temperature=4.0, feature_weight=1.0).backward()
    assert (moved.grad * (teacher - moved.detach())).sum() < 0


def test_align_loss_by_hand():
    # Orthogonal units, equal in both kinds: similarities 1 on the diagonal, 0 off it.
    same = torch.eye(2)
    expected = math.log(1 + math.exp(-1 / 0.5))
    assert align_loss({"a": same, "b": 3 * same}, 0.5).item() == pytest.approx(expected)


def test_align_loss_against_float64():
    rng = np.random.default_rng(1)
    kinds = {kind: rng.normal(size=(4, 3)) for kind in ("visual", "audio", "sensor")}
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in kinds.values()]
    terms = []
    for first, second in [(0, 1), (0, 2), (1, 2)]:
        similarity = units[first] @ units[second].T / 0.07
        forward = -np.diag(log_softmax(similarity)).mean()
        terms.append((forward - np.diag(log_softmax(similarity.T)).mean()) / 2)
    tensors = {kind: torch.tensor(array) for kind, array in kinds.items()}
    assert align_loss(tensors, 0.07).item() == pytest.approx(np.mean(terms), rel=1e-12)


def test_align_loss_of_fewer_than_two_kinds_is_zero():
    assert align_loss({"visual": torch.ones(3, 2)}, 0.1).item() == 0.0
    assert align_loss({}, 0.1).item() == 0.0


def test_resource_loss_by_hand():
    costs = torch.tensor([150.0, 80.0, 30.0], requires_grad=True)
    loss = resource_loss(costs, torch.tensor([100.0, 100.0, 10.0]))
    loss.backward()
    assert loss.item() == pytest.approx(0.5 + 0.0 + 2.0)
    np.testing.assert_allclose(costs.grad, [0.01, 0.0, 0.1])


def test_losses_run_for_many_devices_in_one_call():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, 5, 4)
    a, b = torch.randn(2, 3, 5, 6)
    labels = torch.randint(0, 4, (3, 5))

    def loss(s, t, x, y, label):
        distilled = distill_loss(s, t, {"v": x}, {"v": y}, temperature=4.0, feature_weight=1.0)
        return task_loss(s, label) + distilled + align_loss({"v": x, "a": y}, 0.07)

    together = torch.func.vmap(loss)(student, teacher, a, b, labels)
    apart = [loss(student[i], teacher[i], a[i], b[i], labels[i]) for i in range(3)]
    torch.testing.assert_close(together, torch.stack(apart))


def test_coefficients_follow_pressure():
    config = LossConfig(distill=2.0, align=0.4, resource=0.5)
    assert coefficients(config, 0.0) == Coefficients(task=1.0, distill=2.0, align=0.4, resource=0.0)
    assert coefficients(config, 0.5) == Coefficients(
        task=1.0, distill=3.0, align=0.2, resource=0.25
    )
    assert coefficients(config, 1.0) == Coefficients(task=1.0, distill=4.0, align=0.0, resource=0.5)
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="pressure"):
            coefficients(config, wrong)


def test_distill_loss_weighs_each_sample_by_its_relevance():
    student, teacher = torch.zeros(2, 2), torch.tensor([[2 * math.log(3.0), 0.0], [9.0, -9.0]])
    features = {"visual": torch.tensor([[3.0, 0.0], [0.0, 2.0]])}
    taught = {"visual": torch.tensor([[0.0, 1.0], [1.0, 0.0]])}
    relevance = torch.tensor([2.0, 0.0])
    loss = distill_loss(
        student, teacher, features, taught, temperature=2.0, feature_weight=0.5, relevance=relevance
    )
    # The first sample counts twice, the second not at all: the mean of two is the first alone.
    divergence = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert loss.item() == pytest.approx(4 * divergence + 0.5 * 2.0, rel=1e-5)
