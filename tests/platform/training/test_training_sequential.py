"""One device's training: against a step worked out by hand, and what each term does."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from edgestill.config import LossConfig, TrainingConfig
from edgestill.knowledge import Coefficients, KnowledgeBatch
from edgestill.models import ModelFamily, student
from edgestill.training import TERMS, LocalWork, Samples, batches, train

SHAPES = {"visual": (1, 6, 6), "sensor": (2, 12)}
CLASSES = 3
TASK_ONLY = Coefficients(task=1.0, distill=0.0, align=0.0, resource=0.0)
ALL_TERMS = Coefficients(task=1.0, distill=1.0, align=0.1, resource=0.1)


@pytest.fixture(scope="module")
def family():
    return ModelFamily(student, SHAPES, CLASSES)


def samples_of(count, seed=0):
    torch.manual_seed(seed)
    return Samples(
        inputs={kind: torch.randn(count, *shape) for kind, shape in SHAPES.items()},
        labels=torch.arange(count) % CLASSES,
    )


def knowledge_of(count=10):
    rng = np.random.default_rng(0)
    return KnowledgeBatch(
        inputs={k: rng.normal(size=(count, *s)).astype(np.float32) for k, s in SHAPES.items()},
        embeddings={k: rng.normal(size=(count, 24)).astype(np.float32) for k in SHAPES},
        logits=(3 * rng.normal(size=(count, CLASSES))).astype(np.float32),
        labels=np.arange(count) % CLASSES,
    )


def run(family, *, knowledge=None, count=10, shares=None, width=1.0, start=None, **changes):
    work = {
        "variant": family.variant(shares or dict.fromkeys(SHAPES, 1.0), width),
        "epochs": 1,
        "coefficients": ALL_TERMS,
        "pressure": 0.0,
        "proximal_mu": 0.0,
        "seed": 5,
    }
    options = {
        "batch_size": 4,
        "learning_rate": 0.05,
        "momentum": 0.9,
        "gradient_clip_norm": 5.0,
    }
    options |= {key: changes.pop(key) for key in list(changes) if key in options}
    losses = {key: changes.pop(key) for key in list(changes) if key in LossConfig.model_fields}
    arrays = family.initial_arrays(0) if start is None else start
    return train(
        family.module(width),
        arrays,
        samples_of(count),
        knowledge,
        LocalWork(**(work | changes)),
        TrainingConfig(**options),
        LossConfig(**losses),
    )


def distance(arrays, start):
    return math.sqrt(sum(float(np.square(arrays[n] - start[n]).sum()) for n in arrays))


def test_one_step_by_hand(family):
    start = family.initial_arrays(0)
    trained = run(family, coefficients=TASK_ONLY, batch_size=100, gradient_clip_norm=0.5)
    module = student(SHAPES, CLASSES)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in start.items()})
    samples = samples_of(10)
    loss = functional.cross_entropy(module(samples.inputs).logits, samples.labels)
    loss.backward()
    gradients = {name: one.grad for name, one in module.named_parameters()}
    norm = math.sqrt(sum(float(one.square().sum()) for one in gradients.values()))
    assert norm > 0.5
    assert trained.steps == 1
    assert trained.terms["task"] == pytest.approx(loss.item(), rel=1e-5)
    for name, gradient in gradients.items():
        expected = start[name] - 0.05 * 0.5 / norm * gradient.numpy()
        np.testing.assert_allclose(trained.arrays[name], expected, atol=1e-6)


def test_golden_run(family):
    trained = run(family, knowledge=knowledge_of(), epochs=3, pressure=0.8)
    golden = {"task": 1.17283, "distill": 3.45936, "align": 2.18431, "resource": 3.39154}
    assert trained.steps == 9
    assert trained.terms == pytest.approx(golden, rel=2e-3)
    moved = distance(trained.arrays, family.initial_arrays(0))
    assert moved == pytest.approx(2.47594, rel=2e-3)


def test_the_same_seed_gives_the_same_bits_whatever_was_trained_before(family):
    first = run(family, knowledge=knowledge_of(), epochs=2)
    other = run(family, knowledge=knowledge_of(), epochs=2, seed=6)
    torch.manual_seed(99)
    run(family, count=5, shares={"sensor": 0.5})
    again = run(family, knowledge=knowledge_of(), epochs=2)
    assert all(np.array_equal(first.arrays[name], again.arrays[name]) for name in first.arrays)
    assert first.terms == again.terms
    assert any(not np.array_equal(first.arrays[name], other.arrays[name]) for name in first.arrays)


def test_training_moves_nobody_elses_random_stream(family):
    torch.manual_seed(3)
    expected = torch.random.get_rng_state()
    samples, fresh = samples_of(6), ModelFamily(student, SHAPES, CLASSES)
    torch.manual_seed(3)
    module, arrays = fresh.module(1.0), fresh.initial_arrays(0)
    variant = fresh.variant({"visual": 1.0}, 1.0)
    work = LocalWork(
        variant=variant, epochs=1, coefficients=TASK_ONLY, pressure=0.0, proximal_mu=0.0, seed=1
    )
    train(module, arrays, samples, None, work, TrainingConfig(), LossConfig())
    assert torch.equal(torch.random.get_rng_state(), expected)


def test_training_learns(family):
    first = run(family, epochs=1, coefficients=TASK_ONLY)
    last = run(family, epochs=1, coefficients=TASK_ONLY, start=run(family, epochs=30).arrays)
    assert last.terms["task"] < 0.3 * first.terms["task"]


def test_every_term_is_reported(family):
    full = run(family, knowledge=knowledge_of(), pressure=1.0)
    assert tuple(full.terms) == TERMS
    assert all(value > 0 for value in full.terms.values())
    # Without knowledge there is nothing to distil, with one kind nothing to align, without
    # pressure nothing to save.
    poor = run(family, shares={"visual": 1.0})
    assert poor.terms["task"] > 0
    assert [poor.terms[name] for name in ("distill", "align", "resource")] == [0.0, 0.0, 0.0]


def test_knowledge_pulls_towards_the_teacher(family):
    taught = knowledge_of()
    only = Coefficients(task=0.0, distill=1.0, align=0.0, resource=0.0)
    once = run(family, knowledge=taught, coefficients=only)
    many = run(family, knowledge=taught, coefficients=only, epochs=40)
    later = run(family, knowledge=taught, coefficients=only, start=many.arrays)
    assert later.terms["distill"] < 0.7 * once.terms["distill"]
    untaught = run(family, coefficients=only)
    assert distance(untaught.arrays, family.initial_arrays(0)) == 0.0


def test_arrays_outside_of_the_variant_are_not_returned(family):
    trained = run(family, shares={"sensor": 0.5}, width=0.5, start=narrow(family, 0.5))
    assert set(trained.arrays) == set(family.variant({"sensor": 0.5}, 0.5).shapes)
    assert not [name for name in trained.arrays if "visual" in name]
    assert all(array.dtype == np.float32 for array in trained.arrays.values())


def narrow(family, width):
    shapes = family.variant(dict.fromkeys(SHAPES, 1.0), width).shapes
    full = family.initial_arrays(0)
    return {name: full[name][tuple(slice(n) for n in shape)] for name, shape in shapes.items()}


def test_what_was_given_stays_as_it_was(family):
    start = family.initial_arrays(0)
    run(family, start=start)
    assert all(
        np.array_equal(start[name], value) for name, value in family.initial_arrays(0).items()
    )


def test_fedprox_pulls_towards_the_anchor(family):
    start = family.initial_arrays(0)
    free, bound, tight = (
        distance(run(family, epochs=5, momentum=0.0, proximal_mu=mu).arrays, start)
        for mu in (0.0, 1.0, 8.0)
    )
    assert tight < bound < free


def test_fedprox_by_hand_on_the_second_step(family):
    # The first step starts at the anchor, where the proximal gradient is zero.
    start = family.initial_arrays(0)
    options = {
        "coefficients": TASK_ONLY,
        "batch_size": 100,
        "momentum": 0.0,
        "gradient_clip_norm": 1e9,
    }
    one = run(family, epochs=1, **options).arrays
    with_mu = run(family, epochs=1, proximal_mu=2.0, **options).arrays
    assert all(np.allclose(one[name], with_mu[name], atol=1e-7) for name in one)
    two = run(family, epochs=2, **options).arrays
    with_mu = run(family, epochs=2, proximal_mu=2.0, **options).arrays
    for name in one:
        expected = two[name] - 0.05 * 2.0 * (one[name] - start[name])
        np.testing.assert_allclose(with_mu[name], expected, atol=2e-6)


def gates_after(family, pressure, weight):
    weights = Coefficients(task=0.0, distill=0.0, align=0.0, resource=weight)
    trained = run(family, coefficients=weights, pressure=pressure, epochs=5)
    return np.array([trained.arrays[f"gates.{kind}"] for kind in SHAPES])


def test_the_resource_term_shrinks_gates_under_pressure_only(family):
    start = np.array([family.initial_arrays(0)[f"gates.{kind}"] for kind in SHAPES])
    np.testing.assert_array_equal(gates_after(family, 0.0, 1.0), start)
    pressed = gates_after(family, 0.9, 1.0)
    assert (pressed < start).all()
    # The dearer kind gives way first.
    flops = family.variant(dict.fromkeys(SHAPES, 1.0), 1.0).kind_flops
    assert (pressed - start)[np.argmax([flops[k] for k in SHAPES])] == (pressed - start).min()


def test_fewer_samples_than_a_batch_and_more_knowledge_than_samples(family):
    trained = run(family, count=1, knowledge=knowledge_of(10), epochs=2)
    assert trained.steps == 2
    assert all(math.isfinite(value) for value in trained.terms.values())


def test_each_row_is_seen_once_an_epoch():
    rng = np.random.default_rng(0)
    dealt = list(batches(11, 3, rng))
    assert sorted(np.concatenate(dealt).tolist()) == list(range(11))
    assert [len(one) for one in dealt] == [4, 4, 3]
    assert [len(one) for one in batches(2, 4, rng)] == [1, 1, 0, 0]
    assert not np.array_equal(np.concatenate(dealt), np.arange(11))


def test_a_partial_resolution_is_what_is_trained_on(family):
    whole = run(family, shares={"sensor": 1.0})
    half = run(family, shares={"sensor": 0.5})
    assert whole.terms["task"] != half.terms["task"]
    assert set(whole.arrays) == set(half.arrays)
