"""Who belongs to which group: devices dealt by share and interleaved."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def deal(devices: int, shares: Sequence[float]) -> NDArray[np.int32]:
    """Return the group of each device, shape [devices].

    Group sizes follow the shares by the method of largest remainders (ties to the earlier group).
    The groups are interleaved evenly, so that any run of neighbouring devices has about the shares.

    Args:
        devices: how many there are, at least 1.
        shares: a positive weight for each group.
    """
    sizes = group_sizes(devices, shares)
    places = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes])
    groups = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    dealt: NDArray[np.int32] = groups[np.argsort(places, kind="stable")]
    return dealt


def group_sizes(devices: int, shares: Sequence[float]) -> NDArray[np.int64]:
    """Return the size of each group, summing to ``devices``, by largest remainders."""
    quotas = devices * np.asarray(shares, dtype=np.float64) / np.sum(shares)
    sizes: NDArray[np.int64] = np.floor(quotas).astype(np.int64)
    order = np.argsort(sizes - quotas, kind="stable")
    sizes[order[: devices - int(sizes.sum())]] += 1
    return sizes
