import pytest
import torch
from torch.nn import functional

from edgestill.models import measure_cost, prune_channels, student

SHAPES = {"visual": (1, 8, 8), "sensor": (6, 24)}


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    return {kind: torch.randn(8, *shape) for kind, shape in SHAPES.items()}


@pytest.fixture
def judged(inputs):
    torch.manual_seed(1)
    module = student(SHAPES, 5)
    functional.cross_entropy(module(inputs).logits, torch.arange(8) % 5).backward()
    return module


def test_a_pruned_module_is_really_smaller_and_keeps_its_embeddings(judged, inputs):
    one = {kind: values[:1] for kind, values in inputs.items()}
    before, embedded = measure_cost(judged, one), judged(inputs).embeddings["visual"].shape
    prune_channels(judged, inputs, {"visual": 0.5, "sensor": 0.5})
    after = measure_cost(judged, one)
    assert after.parameters < 0.6 * before.parameters
    assert after.forward_flops < 0.5 * before.forward_flops
    assert judged.encoders["visual"].convolutions[0].weight.shape[0] == 4
    assert judged(inputs).embeddings["visual"].shape == embedded


def test_a_kind_without_ratio_stays_as_it_is(judged, inputs):
    before = {name: p.clone() for name, p in judged.encoders["sensor"].named_parameters()}
    prune_channels(judged, inputs, {"visual": 0.5})
    after = dict(judged.encoders["sensor"].named_parameters())
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_channels_that_the_loss_does_not_need_go_first(inputs):
    torch.manual_seed(2)
    module = student(SHAPES, 5)
    first = module.encoders["visual"].convolutions[0]
    useless = [0, 3, 5, 6]
    with torch.no_grad():
        first.weight[useless] = 0.0
        module.encoders["visual"].convolutions[1].weight[useless] = 0.0
        module.encoders["visual"].convolutions[3].weight[:, useless] = 0.0
    kept = first.weight[[1, 2, 4, 7]].clone()
    functional.cross_entropy(module(inputs).logits, torch.arange(8) % 5).backward()
    prune_channels(module, inputs, {"visual": 0.5})
    assert torch.equal(module.encoders["visual"].convolutions[0].weight, kept)


def test_a_pruned_module_learns_on(judged, inputs):
    prune_channels(judged, inputs, {"visual": 0.5, "sensor": 0.25})
    functional.cross_entropy(judged(inputs).logits, torch.arange(8) % 5).backward()
    assert judged.encoders["visual"].convolutions[0].weight.grad is not None


@pytest.mark.parametrize("ratio", [-0.1, 1.5, float("nan")])
def test_a_ratio_out_of_range_is_refused(judged, inputs, ratio):
    with pytest.raises(ValueError, match="visual: pruning ratio"):
        prune_channels(judged, inputs, {"visual": ratio})


def test_without_gradients_nothing_can_be_judged(inputs):
    with pytest.raises(ValueError, match="sensor: no gradient"):
        prune_channels(student(SHAPES, 5), inputs, {"sensor": 0.5})
