"""Private training on the device: DP-SGD (Abadi et al., CCS 2016, algorithm 1).

At each step every own sample is drawn with the same probability, independently. The gradient of its
task term alone is clipped, these are summed, Gaussian noise is added, and the sum is divided by the
mean number of samples in a step. What follows (momentum, Adam, the clipping of the step, any number
of rounds) works on that sum only and reveals nothing more.

Public samples are not protected. Distillation, alignment and the resource term are computed on them
alone, without own samples, and their gradient is added after the noise. It depends on own samples
through the parameters only, which are private already.
"""

import numpy as np

from edgestill.models import Arrays
from edgestill.training.streams import NOISE, step_key
from edgestill.training.work import LocalWork

SMALLEST_NORM = 1e-12
"""Of a gradient that is divided by its norm."""


def gradient_noise(work: LocalWork, step: int) -> Arrays:
    """Return N(0, (sigma C)^2) for each number of the variant, from the device's seed.

    Raises:
        ValueError: the work is not private.
    """
    privacy = work.sample_privacy
    if privacy is None:
        raise ValueError("the work has no sample_privacy; only private training adds noise")
    stddev = np.float32(privacy.clip_norm * privacy.noise_multiplier)
    key = step_key(work.seed, step, NOISE) & ((1 << 64) - 1)
    rng = np.random.Generator(np.random.Philox(key=key))
    return {
        name: np.asarray(stddev * rng.standard_normal(shape, dtype=np.float32))
        for name, shape in work.variant.shapes.items()
    }
