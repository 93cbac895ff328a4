"""What repeated Gaussian releases cost."""

import math
from functools import lru_cache


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
    accountant.compose(dp_accounting.GaussianDpEvent(noise_multiplier), steps)
    epsilon = float(accountant.get_epsilon(delta))
    return epsilon if math.isfinite(epsilon) else None
