"""Random numbers that depend on who draws them, and on nothing else."""

import pytest
import torch

from edgestill.training.interception import Interception
from edgestill.training.streams import AUGMENTATION, FORWARD, NOISE, Streams, step_key


def streams(identities, seed=5, step=0):
    return Streams(torch.tensor(step_key(seed, step)), torch.tensor(identities))


def test_a_samples_numbers_depend_neither_on_its_place_nor_on_its_company():
    whole = streams([4, 7, 9]).uniform((3, 2, 5))
    assert torch.equal(streams([9, 4]).uniform((2, 2, 5)), whole[[2, 0]])
    assert torch.equal(streams([7]).normal((1, 6)), streams([1, 7]).normal((2, 6))[1:])


def test_time_folded_into_the_batch_keeps_its_samples():
    folded = streams([3, 8]).uniform((6, 4))
    assert torch.equal(folded[3:], streams([8]).uniform((3, 4)))


def test_numbers_that_belong_to_no_sample_are_shared():
    assert torch.equal(streams([3, 8]).uniform((5,)), streams([1, 2, 4]).uniform((5,)))


def test_draws_seeds_steps_and_purposes_differ():
    stream = streams([1])
    first, second = stream.uniform((1, 8)), stream.uniform((1, 8))
    others = [second, streams([1], seed=6).uniform((1, 8)), streams([1], step=1).uniform((1, 8))]
    assert not any(torch.equal(first, other) for other in others)
    keys = {step_key(5, step, p) for step in range(50) for p in (FORWARD, AUGMENTATION, NOISE)}
    assert len(keys) == 150
    assert all(-(1 << 63) <= key < 1 << 63 for key in keys)


def test_the_distributions_are_uniform_and_normal():
    identities = list(range(400))
    uniform = streams(identities).uniform((400, 500))
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert uniform.mean() == pytest.approx(0.5, abs=0.003)
    assert uniform.var() == pytest.approx(1 / 12, rel=0.01)
    counts = torch.histc(uniform, bins=64, min=0, max=1)
    assert (counts / counts.mean() - 1).abs().max() < 0.1
    normal = streams(identities).normal((400, 500))
    assert normal.mean() == pytest.approx(0.0, abs=0.01)
    assert normal.std() == pytest.approx(1.0, rel=0.01)
    assert (normal**4).mean() == pytest.approx(3.0, rel=0.03)
    neighbours = torch.corrcoef(torch.stack([normal[:-1].flatten(), normal[1:].flatten()]))
    assert abs(neighbours[0, 1]) < 0.01


def test_torchs_random_functions_draw_from_the_streams():
    x = torch.ones(4, 3, 2, 2)
    with Interception(streams([0, 1, 2, 3]).table()):
        thinned = torch.nn.functional.dropout(x, 0.5)
        whole_channels = torch.nn.Dropout2d(0.5)(x)
        drawn = [
            torch.rand(4, 2),
            torch.rand((4, 2)),
            torch.randn_like(x),
            torch.bernoulli(x * 0.5),
        ]
        assert torch.equal(torch.nn.functional.dropout(x, 0.5, training=False), x)
    assert set(thinned.unique().tolist()) == {0.0, 2.0}
    assert (whole_channels.flatten(2).std(dim=2) == 0).all()
    assert not torch.equal(drawn[0], drawn[1])
    with Interception(streams([0, 1, 2, 3]).table()):
        assert torch.equal(torch.nn.functional.dropout(x, 0.5), thinned)
