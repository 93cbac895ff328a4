"""The account of private training, and settings that have none."""

import math

import pytest

from edgestill.config import PrivacyConfig, resolve
from edgestill.errors import ConfigurationError
from edgestill.privacy import gaussian_epsilon, sample_epsilon

DEVICE = {"samples": 64, "batch_size": 16, "epochs": 2, "rounds": 10, "noise_multiplier": 1.0}


def epsilon(**changes):
    return sample_epsilon(**(DEVICE | {"delta": 1e-5} | changes))


def test_one_batch_is_the_plain_gaussian_of_as_many_steps():
    plain = gaussian_epsilon(noise_multiplier=1.0, steps=20, delta=1e-5)
    assert epsilon(samples=12) == pytest.approx(plain, rel=1e-9)


def test_sampling_amplifies_and_steps_cost():
    whole = gaussian_epsilon(noise_multiplier=1.0, steps=80, delta=1e-5)
    assert 0 < epsilon() < 0.6 * whole
    assert epsilon(rounds=5) < epsilon() < epsilon(epochs=3)
    assert epsilon(noise_multiplier=2.0) < epsilon()
    assert epsilon(samples=1000, batch_size=10, epochs=1) < epsilon(samples=100, batch_size=10)


def test_the_account_is_the_published_formula():
    """Mironov, Talwar & Zhang, 2019, section 3.3, at whole orders, and Balle et al., 2020, 21."""
    q, sigma, steps = 256 / 60_000, 1.1, 235 * 60
    bounds = []
    for order in range(2, 33):
        terms = [
            math.comb(order, k)
            * (1 - q) ** (order - k)
            * q**k
            * math.exp(k * (k - 1) / (2 * sigma**2))
            for k in range(order + 1)
        ]
        rdp = steps * math.log(sum(terms)) / (order - 1)
        bounds.append(rdp + math.log1p(-1 / order) - math.log(1e-5 * order) / (order - 1))
    value = epsilon(samples=60_000, batch_size=256, epochs=60, rounds=1, noise_multiplier=1.1)
    assert 0.97 * min(bounds) <= value <= 1.01 * min(bounds)


def test_without_noise_there_is_no_bound_and_without_rounds_no_cost():
    assert epsilon(noise_multiplier=0.0) is None
    assert epsilon(rounds=0, noise_multiplier=0.0) == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"samples": 0},
        {"batch_size": 0},
        {"epochs": -1},
        {"noise_multiplier": math.nan},
        {"delta": 1.0},
    ],
)
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="expected at least one sample"):
        epsilon(**wrong)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"sample_noise_multiplier": 1.0}, "sample_noise_multiplier without sample_clip_norm"),
        ({"sample_clip_norm": 1.0}, "sample_clip_norm without noise guarantees nothing"),
        ({"sample_clip_norm": 0.0, "sample_noise_multiplier": 1.0}, "privacy.sample_clip_norm"),
    ],
)
def test_settings_without_a_guarantee_are_refused(setting, reason):
    with pytest.raises(ConfigurationError, match=reason):
        resolve({"privacy": setting})
    assert PrivacyConfig().sample_clip_norm is None
