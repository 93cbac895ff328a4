"""How something grows: the exponent of a power law, fitted to measured points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """y = c x^exponent.

    Attributes:
        exponent: 1 is in proportion.
        standard_error: of the exponent; NaN with fewer than three points.
        points: how many were fitted.
    """

    exponent: float
    standard_error: float
    points: int


def fit_growth(x: Sequence[float], y: Sequence[float]) -> Growth:
    """Fit a power law by least squares of log y on log x.

    Raises:
        ValueError: fewer than two different x, or a value that is not positive.
    """
    if len(set(x)) < 2 or min(*x, *y) <= 0:
        raise ValueError("a power law needs positive points at two places at least")
    log_x, log_y = np.log(np.asarray(x, np.float64)), np.log(np.asarray(y, np.float64))
    spread = log_x - log_x.mean()
    exponent = float(spread @ log_y / (spread @ spread))
    residuals = log_y - log_y.mean() - exponent * spread
    error = float("nan")
    if len(x) > 2:
        variance = float(residuals @ residuals) / (len(x) - 2)
        error = (variance / float(spread @ spread)) ** 0.5
    return Growth(exponent=exponent, standard_error=error, points=len(x))
