"""What the allowances of an option are taken to be worth before any round is played."""

import math

from edgestill.allocation.levels import Allocation


def level_fidelity(option: Allocation, kinds: int) -> float:
    """Return what an option's modalities and width are taken to be worth before any round, 0..1.

    Every kind counts alike; resolution and width have diminishing returns, a square root each.
    """
    kept = sum(math.sqrt(share) for share in option.modalities.values())
    return kept / kinds * math.sqrt(option.width)


def epoch_gain(epochs: int) -> float:
    """Return what local epochs are worth, 0..1: each next one brings less than the one before."""
    return epochs / (1.0 + epochs)


def precision(bits: int) -> float:
    """Return the share of an update's power that is signal after quantisation, 0..1.

    Stochastic rounding to steps of max / (2^(bits-1) - 1) adds at most a quarter of a step squared
    and a sixth on the average; the largest of a layer's changes is taken as four standard
    deviations.
    """
    step = 4.0 / (2.0 ** (bits - 1) - 1.0)
    return 1.0 / (1.0 + step * step / 6.0)
