"""Counter-based random numbers: any number of a stream at once, without those before it.

A draw is a hash of (key, device, index), so it costs no memory, is the same in whatever order it is
asked for, and a million devices are drawn in one numpy call.
"""

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_MASK = (1 << 64) - 1


def uniform(key: int, devices: NDArray[np.int64], index: int) -> NDArray[np.float64]:
    """Return one number in [0, 1) for each device.

    Args:
        key: names the stream; use :func:`edgestill.seeds.derive_seed`.
        devices: device indices, shape [n].
        index: which number of each device's stream; any integer, taken modulo 2^64.

    Returns:
        Shape [n]; 53 random bits each, from the SplitMix64 finaliser (Steele, Lea and Flood,
        OOPSLA 2014).
    """
    state = np.full(len(devices), key & _MASK, dtype=np.uint64)
    state = _mix(state + devices.astype(np.uint64) * _GOLDEN)
    state = _mix(state + np.full(1, index & _MASK, dtype=np.uint64) * _GOLDEN)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return SplitMix64's output function of its next state; arithmetic wraps at 2^64."""
    state = state + _GOLDEN
    state = (state ^ (state >> np.uint64(30))) * _MIX_A
    state = (state ^ (state >> np.uint64(27))) * _MIX_B
    return state ^ (state >> np.uint64(31))
