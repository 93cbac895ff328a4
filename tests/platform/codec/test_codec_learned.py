"""The codec that is trained: gradients, hard and soft choices, and frames that agree with it."""

import math

import numpy as np
import pytest
import torch
from feature_codecs import DIMENSION, KINDS, tokens, trained

from edgestill.codec import HEADER_BYTES
from edgestill.codec.learned import QUANTISERS, FeatureCodec, ScalarCodec
from edgestill.codec.learned.priors import LaplacianConditional, rounded
from edgestill.errors import FrameError, RateError


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_that_is_trained_gets_a_gradient(kind):
    experts = 3 if kind == "mixture" else 1
    codec = FeatureCodec(DIMENSION, kind=kind, experts=experts, step=0.25)
    batch = torch.from_numpy(tokens(32)).reshape(2, 16, DIMENSION).requires_grad_()
    coded = codec(batch)
    (coded.tokens_BND.square().mean() + coded.bits_BN.mean() + coded.balance).backward()
    assert batch.grad is not None
    lacking = [n for n, p in codec.named_parameters() if p.requires_grad and p.grad is None]
    assert lacking == []


def test_rounding_is_straight_through():
    values = torch.tensor([0.4, 0.6, -1.2], requires_grad=True)
    rounded(values).sum().backward()
    assert rounded(values).tolist() == [0.0, 1.0, -1.0]
    assert values.grad is not None
    assert values.grad.tolist() == [1.0, 1.0, 1.0]


def test_golden_bits_of_a_laplacian():
    """F(r + 1/2) - F(r - 1/2) by hand for b = 1: 1 - e**-.5 at 0, e**-r sinh(1/2) beside."""
    bits = LaplacianConditional().bits(torch.tensor([0.0, 1.0, -2.0]), torch.ones(3))
    masses = [1 - math.exp(-0.5), math.exp(-1) * math.sinh(0.5), math.exp(-2) * math.sinh(0.5)]
    assert bits.tolist() == pytest.approx([-math.log2(mass) for mass in masses], rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0, 1])
def test_frames_give_the_tokens_and_take_the_bytes_of_the_forward(kind, rate):
    codec = trained(kind)
    array = torch.from_numpy(tokens(512, 1))
    with torch.no_grad():
        coded = codec(array[None], rate)
    frame = codec.encode(array, rate)
    decoded = codec.decode(frame)
    expected_bytes = float(coded.bits_BN.double().sum()) / 8
    assert len(frame) - HEADER_BYTES == pytest.approx(expected_bytes, rel=0.02)
    # A latent on the border between two symbols may fall to either side.
    apart = (decoded - coded.tokens_BND[0]).abs()
    assert float((apart > 0.02).float().mean()) < 0.03
    error, foretold = ((x - array).square().mean() for x in (decoded, coded.tokens_BND[0]))
    assert float(error) == pytest.approx(float(foretold), rel=0.02)


def test_a_finer_rate_has_more_bytes_and_less_error():
    codec, array = trained("hyperprior"), torch.from_numpy(tokens(256, 2))
    frames = [codec.encode(array, rate) for rate in (0, 1)]
    errors = [float((codec.decode(frame) - array).square().mean()) for frame in frames]
    assert len(frames[0]) < len(frames[1])
    assert errors[0] > errors[1]


def test_the_choice_is_soft_then_hard_and_balanced_by_its_loss():
    codec = FeatureCodec(DIMENSION, kind="mixture", experts=3)
    assert codec.router is not None
    batch = torch.from_numpy(tokens(64))
    codec.anneal(0.0)
    assert float(codec.router(batch).weights_ME.detach().max()) < 1.0
    codec.anneal(1.0)
    assert float(codec.router.temperature) == pytest.approx(0.1)
    hard = codec.router(batch).weights_ME.detach()
    assert hard.max(dim=1).values.tolist() == pytest.approx([1.0] * 64)
    even = torch.full((6, 3), 1 / 3)
    lopsided = torch.tensor([[1.0, 0.0, 0.0]] * 6)
    losses = [0.01 * (w.mean(0) - 1 / 3).square().sum() for w in (even, lopsided)]
    assert float(losses[0]) == 0.0
    assert float(losses[1]) == pytest.approx(0.01 * (4 / 9 + 2 / 9))


def test_the_choice_costs_log2_of_the_experts_or_less():
    codec = trained("mixture")
    assert codec.router is not None
    bits = codec.router(torch.from_numpy(tokens(128))).bits_M
    assert float(bits.detach().mean()) <= math.log2(3) + 1e-6


def test_a_byte_cap_refuses_and_strange_tokens_take_the_bounded_form():
    codec = trained("hyperprior")
    with pytest.raises(RateError, match="the cap of this request is 60"):
        codec.encode(torch.from_numpy(tokens(64)), max_bytes=60)
    hostile = 1e6 * torch.from_numpy(tokens(64))
    frame = codec.encode(hostile)
    assert len(frame) <= HEADER_BYTES + 5 + 64 * (DIMENSION + 4)
    peaks = hostile.abs().amax(dim=1, keepdim=True)
    assert bool(((codec.decode(frame) - hostile).abs() <= peaks / 254 * 1.001).all())
    largest = torch.full((2, DIMENSION), float(np.finfo(np.float32).max))
    assert bool(torch.isfinite(codec.decode(codec.encode(largest))).all())


@pytest.mark.parametrize("kind", QUANTISERS)
def test_controls_code_what_their_forward_says(kind):
    codec = ScalarCodec(DIMENSION, kind=kind)
    array = torch.from_numpy(tokens(48))
    decoded = codec.decode(codec.encode(array))
    torch.testing.assert_close(decoded, codec(array[None]).tokens_BND[0].detach())
    with pytest.raises(FrameError):
        ScalarCodec(DIMENSION + 1, kind=kind).decode(codec.encode(array))
    with pytest.raises(RateError):
        codec.encode(array, max_bytes=100)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"kind": "gaussian"}, "kind is"),
        ({"dimension": 0}, "dimension is 0"),
        ({"kind": "mixture", "experts": 1}, "experts is 1"),
        ({"experts": 2}, "experts is 2"),
        ({"rates": 17}, "rates is 17"),
        ({"step": 0.0}, "step is 0"),
    ],
)
def test_wrong_arguments_are_named(changes, wrong):
    with pytest.raises(ValueError, match=wrong):
        FeatureCodec(**{"dimension": 8, "kind": "hyperprior", **changes})


def test_wrong_requests_are_named():
    codec = trained("hyperprior")
    with pytest.raises(ValueError, match="rate is 2"):
        codec.encode(torch.zeros(1, DIMENSION), 2)
    with pytest.raises(ValueError, match="NaN"):
        codec.encode(torch.full((1, DIMENSION), torch.nan))
    with pytest.raises(ValueError, match="expected \\[n, 24\\]"):
        codec.encode(torch.zeros(0, DIMENSION))
    with pytest.raises(ValueError, match="not frozen"):
        FeatureCodec(8, kind="factorised").encode(torch.zeros(1, 8))
