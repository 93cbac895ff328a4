"""From hardness to a decision: a threshold found on validation data for what is wanted.

A gate offloads an input whose hardness is above the threshold. Many inputs may share one hardness,
so that not every offload rate can be met: what is chosen never offloads more than a wanted rate,
and never less than a wanted accuracy or recall needs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import InputError
from edgestill.inference.gates.answers import Floats

NEVER = float("inf")
"""The threshold of a gate that keeps every answer at the edge."""

ALWAYS = float("-inf")
"""The threshold of a gate that sends everything to the cloud."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """All that thresholds on one hardness can do, from no offloading to all of it.

    Attributes:
        thresholds: descending, the first is :data:`NEVER`.
        offload_rates: share of the inputs that are offloaded, 0..1, ascending.
        accuracies: mean of what is then right, edge and cloud together, 0..1.
        recalls: share of the edge's wrong answers that are offloaded, 0..1; 1 if it has none.
    """

    thresholds: Floats
    offload_rates: Floats
    accuracies: Floats
    recalls: Floats

    def accuracy_at(self, offload_rate: float) -> float:
        """Return the accuracy at an offload rate in 0..1, on the line between its neighbours.

        A point between two thresholds is reached by offloading a random share of the inputs that
        lie between them.
        """
        return float(np.interp(offload_rate, self.offload_rates, self.accuracies))

    def area(self) -> float:
        """Return the mean accuracy over all offload rates."""
        return float(np.trapz(self.accuracies, self.offload_rates))


def curve(hardness: Floats, edge_right: Floats, cloud_right: Floats) -> Curve:
    """Return the curve of N validation inputs, N at least 1.

    Args:
        hardness: [N], finite.
        edge_right: [N], how right the edge's answer is, 0..1.
        cloud_right: [N], how right the cloud's answer is, 0..1.

    Raises:
        InputError: no inputs, not equally many, or a hardness that is not finite.
    """
    hard, edge, cloud = (np.asarray(v, np.float64) for v in (hardness, edge_right, cloud_right))
    if not len(hard) or not len(hard) == len(edge) == len(cloud):
        raise InputError(
            f"gate: {len(hard)} hardnesses, {len(edge)} edge and {len(cloud)} cloud answers; "
            "expected equally many, at least one"
        )
    if not np.isfinite(hard).all():
        raise InputError("gate: a hardness is not finite")
    order = np.argsort(-hard, kind="stable")
    steps = _last_of_equals(hard[order])
    count = len(hard)
    wrong = 1.0 - edge[order]
    return Curve(
        thresholds=np.concatenate([[NEVER], _below(hard[order], steps)]),
        offload_rates=np.concatenate([[0.0], steps / count]),
        accuracies=(edge.sum() + _sums(cloud[order] - edge[order], steps)) / count,
        recalls=_sums(wrong, steps) / wrong.sum() if wrong.sum() else np.ones(len(steps) + 1),
    )


def for_offload_rate(found: Curve, at_most: float) -> float:
    """Return the lowest threshold that offloads at most this share of the inputs, 0..1."""
    _check_ratio("offload rate", at_most)
    place = int(np.searchsorted(found.offload_rates, at_most + 1e-12, side="right")) - 1
    return float(found.thresholds[place])


def for_accuracy(found: Curve, at_least: float) -> float:
    """Return the highest threshold that reaches an accuracy.

    Raises:
        InputError: no threshold reaches it; the message names the best that there is.
    """
    _check_ratio("accuracy", at_least)
    return _first(found, found.accuracies, at_least, "accuracy")


def for_recall(found: Curve, at_least: float) -> float:
    """Return the highest threshold by which this share of the edge's wrong answers is offloaded."""
    _check_ratio("recall", at_least)
    return _first(found, found.recalls, at_least, "recall")


def _first(found: Curve, values: Floats, at_least: float, name: str) -> float:
    reached = np.flatnonzero(values >= at_least - 1e-12)
    if not len(reached):
        raise InputError(
            f"gate: no threshold reaches {name} {at_least:g} on the validation data; "
            f"the best is {values.max():.4g}"
        )
    return float(found.thresholds[reached[0]])


def _last_of_equals(descending: Floats) -> NDArray[np.int64]:
    """Return how many inputs are offloaded at each distinct hardness, that one included."""
    ends = np.flatnonzero(np.diff(descending, append=-np.inf) != 0.0)
    return ends + 1


def _below(descending: Floats, steps: NDArray[np.int64]) -> Floats:
    """Return the thresholds: half way to the next lower hardness, below the last everything."""
    following = np.append(descending, -np.inf)[steps]
    here = descending[steps - 1]
    return np.where(np.isfinite(following), (here + following) / 2.0, ALWAYS)


def _sums(values: Floats, steps: NDArray[np.int64]) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)[steps - 1]])


def _check_ratio(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise InputError(f"gate: a wanted {name} of {value:g}; expected 0 to 1")
