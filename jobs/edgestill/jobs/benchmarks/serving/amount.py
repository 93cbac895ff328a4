"""How much is measured."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

OURS, ALONE = "ours", "http_alone"
FASTAPI = ("fastapi", "fastapi_threads")
RAY_SERVE = ("ray_serve", "ray_serve_batch")
PATH = "/v1/answers"
RAY_SERVE_PATHS = dict(zip(RAY_SERVE, ("/one", "/batched"), strict=True))
"""Where Ray Serve's two answer behind their proxy; the others answer at ``PATH``."""

SIDES = (OURS, *FASTAPI, *RAY_SERVE, ALONE)
"""Every side of the comparison; what each is stands in :mod:`.hosts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """What is done.

    Attributes:
        samples, epochs: that the model is trained with, which only has to cost what it costs.
        connections: at once, in each closed loop.
        rounds: in each of which every side has its turn.
        closed_s: of one closed loop.
        open_s: of one open loop.
        links_bytes_per_s: emulated uplinks.
        deadlines_s: from an input to its answer, over the links.
        inputs_per_link: asked for each link and deadline.
        devices: that ask while the cloud is killed.
        inputs: that all of them ask about then.
        inputs_per_s: of all of them.
        deadline_s: theirs.
        kills: how often the cloud is killed.
        bad_frames: sent one after the other.
        sides: of the comparison.
    """

    samples: int
    epochs: float
    connections: Sequence[int]
    rounds: int
    closed_s: float
    open_s: float
    links_bytes_per_s: Sequence[float] = (25e3, 50e3, 100e3, 1e6)
    deadlines_s: Sequence[float]
    inputs_per_link: int
    devices: int = 8
    inputs: int
    inputs_per_s: float = 80.0
    deadline_s: float = 0.25
    kills: int
    bad_frames: int = 10_000
    sides: Sequence[str] = SIDES

    def plain(self) -> dict[str, Any]:
        """Return the amounts as values that JSON has."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


FULL = Amount(
    samples=1024,
    epochs=2.0,
    connections=(1, 4, 16, 64),
    rounds=5,
    closed_s=1.0,
    open_s=8.0,
    deadlines_s=(0.05, 0.2),
    inputs_per_link=80,
    inputs=4000,
    kills=3,
)
QUICK = Amount(
    samples=256,
    epochs=1.0,
    connections=(1, 32),
    rounds=2,
    closed_s=0.5,
    open_s=1.2,
    deadlines_s=(0.1,),
    inputs_per_link=8,
    inputs=1000,
    kills=1,
    # Ray Serve takes as long to start and end as a third of the rest.
    sides=(OURS, *FASTAPI, ALONE),
)
