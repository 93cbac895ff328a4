"""What every way of answering gives for the same inputs, measured once, before any is chosen.

With it the trade-offs of all architectures and gates are arithmetic: nothing runs twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import InputError

Floats = NDArray[np.float64]
Choice = NDArray[np.int64]
"""For each of N inputs the place of its way in ``Outcomes.ways``."""

Places = NDArray[np.int64]
"""Of some of the inputs."""

Kind = Literal["edge", "features", "input"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way of answering N inputs.

    Attributes:
        kind: the device alone, the cloud from the device's features, or from the input itself.
        name: for people, such as ``features at rate 1``.
        right: [N], how right each answer is, 0..1.
        bytes_sent: [N], of the whole frame; 0 at the edge.
        edge_flops: on the device for one input: its own look and what it codes.
        cloud_flops: in the cloud for one input.
    """

    kind: Kind
    name: str
    right: Floats
    bytes_sent: Floats
    edge_flops: float
    cloud_flops: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """All ways for the same N inputs.

    Attributes:
        edge: the device alone.
        features: the cloud from features, one for each rate, coarsest first; may be empty.
        whole_input: the cloud from the input.
        score: the figure of merit of a choice on some of the inputs, where it is no mean over them,
            such as mean average precision; the mean of ``right`` without it.
        weights: [N], how much each input counts for it, at least 0 and 1 in the mean; None is 1.
    """

    edge: Way
    features: Sequence[Way]
    whole_input: Way
    score: Callable[[Choice, Places], float] | None = None
    weights: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse ways that were measured on different inputs."""
        counts = {len(way.right) for way in self.ways} | {len(way.bytes_sent) for way in self.ways}
        if len(counts) != 1:
            raise InputError(f"outcomes: ways of {sorted(counts)} inputs; expected equally many")

    @property
    def ways(self) -> tuple[Way, ...]:
        """All of them, the device's first."""
        return (self.edge, *self.features, self.whole_input)

    def right_of(self, chosen: Choice) -> Floats:
        """Return [N], how right each chosen answer is, times its weight."""
        right: Floats = np.stack([way.right for way in self.ways])[chosen, np.arange(len(chosen))]
        return right if self.weights is None else right * self.weights

    def shares_WN(self) -> Floats:  # noqa: N802 - shape letters
        """Return how right each of W ways is, of the most that any input can bring, 0..1."""
        right = np.stack([way.right for way in self.ways])
        if self.weights is None or not self.weights.any():
            return right
        shares: Floats = right * self.weights / self.weights.max()
        return shares

    def merit(self, chosen: Choice, places: Places | None = None) -> float:
        """Return the figure of merit of a choice [N], on all inputs or on those at some places."""
        own = np.arange(len(chosen)) if places is None else places
        if self.score is not None:
            return self.score(chosen, own)
        return float(self.right_of(chosen)[own].mean())


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a policy costs and gives, in the mean of the inputs.

    Attributes:
        name: of the policy.
        right: 0..1, such as accuracy or mean average precision.
        bytes_sent: for each input.
        edge_flops: for each input.
        cloud_flops: for each input.
        offload_rate: share of the inputs that the cloud saw, 0..1.
    """

    name: str
    right: float
    bytes_sent: float
    edge_flops: float
    cloud_flops: float
    offload_rate: float

    @property
    def flops(self) -> float:
        """For each input, on the device and in the cloud together."""
        return self.edge_flops + self.cloud_flops


def point(name: str, outcomes: Outcomes, chosen: Choice) -> Point:
    """Return what a choice among the ways costs and gives.

    Args:
        name: of the policy.
        outcomes: of N inputs.
        chosen: [N]. Every input is first looked at by the device, as the choice needs its answer.
    """
    ways = outcomes.ways
    sent = np.stack([way.bytes_sent for way in ways])[chosen, np.arange(len(chosen))]
    # What is sent as features was looked at already; an input that is sent was too.
    edge = np.array([max(way.edge_flops, outcomes.edge.edge_flops) for way in ways])[chosen]
    cloud = np.array([way.cloud_flops for way in ways])[chosen]
    return Point(
        name=name,
        right=outcomes.merit(chosen),
        bytes_sent=float(sent.mean()),
        edge_flops=float(edge.mean()),
        cloud_flops=float(cloud.mean()),
        offload_rate=float(np.mean(chosen != 0)),
    )
