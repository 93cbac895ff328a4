"""How a pen goes when it writes a digit: knots, a spline through them, and the pace along it."""

import numpy as np
from numpy.typing import NDArray

_FINE = 40

# Knots "x,y" (x to the right, y up) in a box of 100 by 100, drawn by hand, one line per digit. The
# wrist moves between strokes too, so a lifted pen is part of the path.
_DRAWN = (
    "50,100 20,85 5,50 20,12 50,0 80,15 95,50 80,85 50,100",
    "30,75 55,100 55,67 55,33 55,0",
    "10,75 30,97 65,97 85,72 60,40 10,0 50,0 90,0",
    "15,90 50,100 80,78 45,53 85,30 50,0 10,12",
    "60,100 35,65 10,30 50,30 90,30 65,65 65,30 65,0",
    "25,100 20,55 55,60 85,33 60,2 12,8 20,60 25,100 55,100 85,100",
    "70,100 30,70 12,30 40,0 80,20 60,50 20,35",
    "10,100 50,100 90,100 70,67 50,33 35,0",
    "75,85 45,100 20,78 50,52 82,25 50,0 18,25 50,52 75,85",
    "80,80 45,100 20,70 50,50 80,80 75,40 60,0",
)
KNOTS = tuple(
    np.array([knot.split(",") for knot in line.split()], np.float64) / 100 for line in _DRAWN
)


def pen_path(
    digit: int, progress: NDArray[np.float64], jitter: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return pen positions [t, 2] in the unit box.

    Args:
        digit: 0..9.
        progress: [t], share of the writing time that has passed, 0..1.
        jitter: [at least as many as there are knots, 2], added to the knots.
    """
    curve = _spline(KNOTS[digit] + jitter[: len(KNOTS[digit])])
    share = _time_share(curve)
    return np.stack([np.interp(progress, share, curve[:, axis]) for axis in range(2)], axis=1)


def _spline(knots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points of the uniform Catmull-Rom spline through the knots."""
    padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    before, start, end, after = (padded[i : len(padded) - 3 + i, None] for i in range(4))
    u = np.linspace(0, 1, _FINE, endpoint=False)[None, :, None]
    linear, square = end - before, 2 * before - 5 * start + 4 * end - after
    cube = 3 * (start - end) + after - before
    points = 0.5 * (2 * start + linear * u + square * u**2 + cube * u**3)
    return np.concatenate([points.reshape(-1, 2), knots[-1:]])


def _time_share(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the time (0..1) at which the pen is at each point of the curve.

    The hand slows where the path bends, with speed proportional to curvature ** (-1/3) (the
    two-thirds power law, Lacquaniti, Terzuolo & Viviani, Acta Psychologica 1983), and starts and
    ends at rest along a minimum-jerk profile (Flash & Hogan, J. Neuroscience 1985).
    """
    first = np.gradient(curve, axis=0)
    second = np.gradient(first, axis=0)
    length = np.hypot(first[:, 0], first[:, 1]) + 1e-9
    bend = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]) / length**3
    pace = (bend + 1.0) ** (1 / 3) * length
    share = np.concatenate([[0.0], np.cumsum((pace[1:] + pace[:-1]) / 2)])
    share /= share[-1]
    # The profile says which share of the path lies behind at a time: its inverse is wanted.
    times = np.linspace(0, 1, 512)
    return np.interp(share, times**3 * (10 - 15 * times + 6 * times**2), times)
