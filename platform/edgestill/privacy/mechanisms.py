"""The Gaussian mechanism over named arrays: bound what one device can say, then add noise."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.float32]]


def clip_by_norm(arrays: Arrays, clip_norm: float) -> tuple[dict[str, NDArray[np.float32]], float]:
    """Scale all arrays by min(1, clip_norm / norm), norm being their joint L2 norm.

    Abadi et al., "Deep Learning with Differential Privacy", CCS 2016, algorithm 1, applied to a
    whole update as in McMahan et al., "Learning Differentially Private Recurrent Language Models",
    ICLR 2018, section 3. The norm is summed in float64 and the result rounded to float32, which
    keeps it within ``clip_norm`` up to a relative 1e-7.

    Returns:
        The scaled arrays, and the norm before.

    Raises:
        ValueError: clip_norm is not positive, or the norm is not finite.
    """
    if not clip_norm > 0:
        raise ValueError(f"clip_norm is {clip_norm}; expected a positive number")
    squares = (float(np.square(array, dtype=np.float64).sum()) for array in arrays.values())
    norm = math.sqrt(sum(squares))
    if not math.isfinite(norm):
        raise ValueError("the arrays to be clipped contain NaN or infinity")
    scale = np.float64(min(1.0, clip_norm / norm) if norm else 1.0)
    clipped = {name: (array * scale).astype(np.float32) for name, array in arrays.items()}
    return clipped, norm


def add_gaussian_noise(
    arrays: Arrays, *, stddev: float, rng: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Add independent N(0, stddev^2) to every element, in the arrays' order.

    Dwork & Roth, "The Algorithmic Foundations of Differential Privacy", 2014, appendix A: with
    stddev = noise_multiplier * L2 sensitivity. A stddev of 0 returns copies.

    Raises:
        ValueError: stddev is negative or not finite.
    """
    if not 0 <= stddev < math.inf:
        raise ValueError(f"stddev is {stddev}; expected a finite number of at least 0")
    if stddev == 0:
        return {name: array.astype(np.float32) for name, array in arrays.items()}
    return {
        name: (array + rng.normal(0.0, stddev, array.shape)).astype(np.float32)
        for name, array in arrays.items()
    }
