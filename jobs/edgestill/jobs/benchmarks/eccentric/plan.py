"""What is measured, and how much of it. All was chosen on validation data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

CLASSIFICATION, DETECTION = "classification", "detection"
KEPT: Mapping[str, float] = {CLASSIFICATION: 0.99, DETECTION: 0.97}
"""Share of the cloud's accuracy that the claimed savings must keep."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """How long the models of a task are trained, in epochs over ``public`` inputs, and tested.

    Attributes:
        public: inputs to learn from, at most.
        cloud, edge, adaptation: of each stage.
        tested: inputs of the validation part and of the test part, at most.
        features: weight of the cloud's features in the edge's own training.
        rate_weights: lambda of each rate, coarsest first.
    """

    public: int
    cloud: float
    edge: float
    adaptation: float
    tested: int
    features: float = 0.0
    rate_weights: tuple[float, ...] = (1.0, 0.3, 0.08)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """What is trained and tested.

    Attributes:
        seeds: of each task, with models of its own.
        lengths: by task.
        ablated: seeds of the classification whose training is also done without each of its parts.
    """

    seeds: Mapping[str, tuple[int, ...]]
    lengths: Mapping[str, Length]
    ablated: tuple[int, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return values that JSON has."""
        return asdict(self)


EVERY = 100_000

_DETECTION_RATES = (3.0, 1.0, 0.3)

FULL = Amount(
    seeds={CLASSIFICATION: (94, 95, 96), DETECTION: (94, 95, 96)},
    lengths={
        CLASSIFICATION: Length(public=EVERY, cloud=8.0, edge=12.0, adaptation=8.0, tested=EVERY),
        DETECTION: Length(
            public=EVERY,
            cloud=20.0,
            edge=12.0,
            adaptation=9.0,
            tested=EVERY,
            features=1.0,
            rate_weights=_DETECTION_RATES,
        ),
    },
    ablated=(94,),
)
QUICK = Amount(
    seeds={CLASSIFICATION: (31,), DETECTION: (31,)},
    lengths={
        CLASSIFICATION: Length(public=4_200, cloud=3.0, edge=6.0, adaptation=3.0, tested=640),
        DETECTION: Length(
            public=640,
            cloud=6.0,
            edge=5.0,
            adaptation=3.0,
            tested=160,
            features=1.0,
            rate_weights=_DETECTION_RATES,
        ),
    },
    ablated=(),
)
