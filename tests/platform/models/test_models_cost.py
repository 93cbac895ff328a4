"""Costs against numbers worked out by hand."""

import pytest
import torch
from torch import nn

from edgestill.models import Cost, ModelFamily, measure_cost, student


class Chain(nn.Module):
    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs):
        return self.layers(inputs["visual"])


def test_a_convolution_by_hand():
    layer = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    cost = measure_cost(Chain(layer), {"visual": torch.zeros(1, 3, 10, 6)})
    assert cost.parameters == 3 * 8 * 9
    # A multiply-add counts two: 60 positions x 8 outputs x 27 inputs.
    assert cost.forward_flops == 2 * 60 * 8 * 27
    assert cost.activation_bytes == 4 * 8 * 60


def test_two_linear_maps_by_hand():
    model = Chain(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 2, bias=False))
    cost = measure_cost(model, {"visual": torch.zeros(1, 3, 2, 2)})
    assert cost.parameters == 12 * 5 + 5 + 5 * 2
    assert cost.forward_flops == 2 * (12 * 5 + 5 * 2)
    assert cost.activation_bytes == 4 * (12 + 5 + 5 + 2)


def test_what_training_and_inference_need():
    cost = Cost(parameters=100, forward_flops=7, activation_bytes=50)
    assert cost.training_flops(11) == 3 * 7 * 11
    assert cost.training_memory_bytes(8) == 3 * 4 * 100 + 8 * 50
    assert cost.inference_memory_bytes() == 4 * 100 + 50


def test_measuring_leaves_no_hooks_and_no_gradients():
    model = Chain(nn.Linear(4, 2))
    measure_cost(model, {"visual": torch.zeros(1, 4)})
    assert not model.layers[0]._forward_hooks
    assert model.layers[0].weight.grad is None


def test_hooks_go_even_when_the_model_fails():
    model = Chain(nn.Linear(4, 2))
    with pytest.raises(RuntimeError):
        measure_cost(model, {"visual": torch.zeros(1, 5)})
    assert not model.layers[0]._forward_hooks


def test_less_is_cheaper():
    family = ModelFamily(student, {"visual": (1, 8, 8), "audio": (1, 16, 12)}, 4)
    both, one = {"visual": 1.0, "audio": 1.0}, {"visual": 1.0}
    ladder = [
        family.variant(both, 1.0),
        family.variant({**both, "audio": 0.5}, 1.0),
        family.variant(both, 0.5),
        family.variant(one, 0.5),
        family.variant({"visual": 0.5}, 0.5),
    ]
    flops = [variant.cost.forward_flops for variant in ladder]
    assert flops == sorted(flops, reverse=True)
    assert len(set(flops)) == len(flops)
    memory = [variant.cost.training_memory_bytes(8) for variant in ladder]
    assert memory == sorted(memory, reverse=True)
    assert ladder[3].cost.parameters < ladder[2].cost.parameters < ladder[0].cost.parameters


def test_the_kinds_share_the_cost():
    family = ModelFamily(student, {"visual": (1, 8, 8), "audio": (1, 16, 12)}, 4)
    variant = family.variant({"visual": 1.0, "audio": 1.0}, 1.0)
    alone = {kind: family.variant({kind: 1.0}, 1.0) for kind in ("visual", "audio")}
    assert variant.kind_flops == {kind: one.cost.forward_flops for kind, one in alone.items()}
    classifier = 2 * 24 * 4
    assert variant.cost.forward_flops == sum(variant.kind_flops.values()) - classifier


def test_measuring_teaches_batch_normalisation_nothing():
    model = Chain(nn.BatchNorm1d(4), nn.Dropout())
    measure_cost(model, {"visual": torch.ones(1, 4)})
    assert model.layers[0].running_mean.tolist() == [0.0] * 4
    assert model.training
    assert model.layers[1].training
