"""What repeated Gaussian releases cost, of all records or of random ones."""

import math
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1024)
def gaussian_epsilon(*, noise_multiplier: float, steps: int, delta: float) -> float | None:
    """Return epsilon at ``delta`` after ``steps`` Gaussian releases; None when unbounded.

    Rényi accounting (Mironov, "Rényi Differential Privacy", CSF 2017, proposition 7 and corollary
    3) by ``dp-accounting``, for neighbours that differ in one record added or removed. No
    amplification by sampling is claimed.

    Args:
        noise_multiplier: noise's standard deviation over the L2 sensitivity; 0 means no noise.
        steps: number of releases on the same records.
        delta: in (0, 1).

    Raises:
        ValueError: an argument is out of range.
    """
    if not (0 <= noise_multiplier < math.inf and steps >= 0 and 0 < delta < 1):
        raise ValueError(
            f"noise_multiplier {noise_multiplier}, steps {steps}, delta {delta}: expected a finite "
            "multiplier and steps of at least 0, and delta between 0 and 1"
        )
    return _epsilon(noise_multiplier, 1.0, steps, delta)


@lru_cache(maxsize=1024)
def sample_epsilon(
    *,
    samples: int,
    batch_size: int,
    epochs: int,
    rounds: int,
    noise_multiplier: float,
    delta: float,
) -> float | None:
    """Return epsilon of one sample of a device that trains privately; None when unbounded.

    DP-SGD (Abadi et al., CCS 2016): each of the ceil(samples / batch_size) steps of an epoch takes
    each sample with probability 1 / steps, independently. Rényi accounting of the subsampled
    Gaussian (Mironov, Talwar & Zhang, 2019) by ``dp-accounting``, for neighbours that differ in one
    sample added or removed; how many samples a device has is taken to be known.

    Args:
        samples: of the device, at least 1.
        batch_size: as configured, at least 1.
        epochs: in each round.
        rounds: in which the device took part.
        noise_multiplier: noise's standard deviation over the norm that gradients are clipped to.
        delta: in (0, 1).

    Raises:
        ValueError: an argument is out of range.
    """
    counts = min(samples, batch_size) >= 1 and min(epochs, rounds) >= 0
    if not (counts and 0 <= noise_multiplier < math.inf and 0 < delta < 1):
        raise ValueError(
            f"samples {samples}, batch_size {batch_size}, epochs {epochs}, rounds {rounds}, "
            f"noise_multiplier {noise_multiplier}, delta {delta}: expected at least one sample in "
            "a batch of at least one, no negative count, a finite multiplier of at least 0, and "
            "delta between 0 and 1"
        )
    steps = -(-samples // batch_size)
    return _epsilon(noise_multiplier, 1.0 / steps, steps * epochs * rounds, delta)


def _epsilon(noise_multiplier: float, probability: float, steps: int, delta: float) -> float | None:
    if steps == 0:
        return 0.0
    if noise_multiplier == 0:
        return None
    # Costs most of a second: only who accounts pays it, not every device that clips.
    import dp_accounting
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(
        neighboring_relation=dp_accounting.NeighboringRelation.ADD_OR_REMOVE_ONE
    )
    event: Any = dp_accounting.GaussianDpEvent(noise_multiplier)
    if probability < 1.0:
        event = dp_accounting.PoissonSampledDpEvent(probability, event)
    accountant.compose(event, steps)
    epsilon = float(accountant.get_epsilon(delta))
    return epsilon if math.isfinite(epsilon) else None
