"""Layers in the forms that lanes compute: torch's own results and gradients, device by device."""

import pytest
import torch
from torch.func import vmap
from torch.nn import functional

from edgestill.training.forms import FORMS
from edgestill.training.interception import Interception

LANES = 3


def gradients(function, tensors):
    leaves = [one.clone().requires_grad_() for one in tensors]
    out = function(*leaves)
    return out, torch.autograd.grad(
        (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum(), leaves
    )


def assert_same_as_torch(function, *shapes):
    torch.manual_seed(0)
    tensors = [torch.randn(LANES, *shape) for shape in shapes]

    def in_lanes(*leaves):
        with Interception(FORMS):
            return vmap(function)(*leaves)

    def one_by_one(*leaves):
        return torch.stack([function(*(leaf[lane] for leaf in leaves)) for lane in range(LANES)])

    (out, found), (wanted, expected) = (gradients(form, tensors) for form in (in_lanes, one_by_one))
    torch.testing.assert_close(out, wanted, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [(1, 5), (2, 16), (6, 8), (4, 20)])
@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"padding": 1},
        {"padding": "same"},
        {"padding": "same", "dilation": 2},
        {"stride": 2, "padding": 1},
        {"stride": (2, 3), "padding": (0, 2)},
        {"stride": 2, "dilation": 2, "padding": 2},
        {"padding": 3},
    ],
    ids=str,
)
def test_convolutions_of_images(channels, geometry):
    inward, outward = channels

    def convolve(image, weight, bias):
        return torch.conv2d(image, weight, bias, **geometry)

    assert_same_as_torch(convolve, (2, inward, 7, 8), (outward, inward, 3, 3), (outward,))


@pytest.mark.parametrize("groups", [2, 4])
def test_convolutions_in_groups_of_channels(groups):
    def convolve(image, weight, bias):
        return torch.conv2d(image, weight, bias, padding=1, groups=groups)

    assert_same_as_torch(convolve, (2, 4, 5, 5), (8, 4 // groups, 3, 3), (8,))


@pytest.mark.parametrize(
    "geometry", [{}, {"stride": 2, "padding": 1}, {"padding": "same"}], ids=str
)
def test_convolutions_along_time(geometry):
    def convolve(signal, weight):
        return torch.conv1d(signal, weight, **geometry)

    assert_same_as_torch(convolve, (2, 6, 11), (8, 6, 3))


@pytest.mark.parametrize("groups", [1, 2])
def test_group_normalisation(groups):
    def normalise(inputs, weight, bias):
        return functional.group_norm(inputs, groups, weight, bias)

    assert_same_as_torch(normalise, (2, 4, 3, 5), (4,), (4,))
    assert_same_as_torch(normalise, (2, 4, 6), (4,), (4,))


@pytest.mark.parametrize("cells", [1, 3, (3, 4), (2, None)], ids=str)
def test_adaptive_averages(cells):
    assert_same_as_torch(lambda x: functional.adaptive_avg_pool2d(x, cells), (2, 3, 7, 8))


def test_adaptive_averages_along_time():
    assert_same_as_torch(lambda x: functional.adaptive_avg_pool1d(x, 4), (2, 3, 10))


@pytest.mark.parametrize("shape", [(5,), (2, 5), (2, 4, 5)])
def test_linear_layers_of_any_number_of_axes(shape):
    assert_same_as_torch(functional.linear, shape, (3, 5), (3,))


@pytest.mark.parametrize(
    "function", [torch.sigmoid, torch.exp, functional.gelu, functional.softplus]
)
def test_elementwise_functions_give_one_value_wherever_an_element_lies(function):
    values = torch.linspace(-3, 3, 7).expand(20, 7).contiguous()
    with Interception(FORMS):
        out = vmap(function)(values)
    assert all(torch.equal(out[0], row) for row in out)
    torch.testing.assert_close(out[0], function(values[0]))


def test_softmax_over_any_axis():
    assert_same_as_torch(lambda x: functional.softmax(x, dim=1), (2, 5, 3))
