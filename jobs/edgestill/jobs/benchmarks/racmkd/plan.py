"""What is measured: the levels, what each does to every modality and to the model, and how much.

A level of the table is a rate for each modality's stage, a share of channels that pruning removes
and the bits of the weights. The stages are those of ``jobs/configs/racmkd.yaml``: of the audio the
strongest bands, of the sensor statistics of windows, a smaller image. Merging frames takes longer
than it saves on spectrograms of 32 frames.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgestill.config import StagesConfig

KINDS = ("visual", "audio", "sensor")
STAGES = StagesConfig(audio="bands", sensor="statistics")
POOLED = StagesConfig()
WIDE = 1.5
"""Relative width of the student that is trained first and then pruned to each level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPlan:
    """One row of the table.

    Attributes:
        rates: kind to the rate of its stage, only the kinds in use.
        pruned: share of the wide student's channels that is removed.
        bits: of the weights.
    """

    name: str
    rates: Mapping[str, float]
    pruned: float
    bits: int


LEVELS = (
    LevelPlan(name="high", rates={"visual": 1.0, "audio": 1.0, "sensor": 1.0}, pruned=0.5, bits=8),
    LevelPlan(
        name="medium", rates={"visual": 1.0, "audio": 0.67, "sensor": 1.0}, pruned=0.5, bits=8
    ),
    LevelPlan(name="low", rates={"visual": 1.0, "sensor": 0.5}, pruned=0.5, bits=8),
    LevelPlan(name="critical", rates={"visual": 0.5, "sensor": 0.25}, pruned=0.6, bits=4),
)
POSTER = (
    LevelPlan(name="low, visual alone", rates={"visual": 1.0}, pruned=0.5, bits=8),
    LevelPlan(name="critical, visual alone", rates={"visual": 0.5}, pruned=0.6, bits=4),
)
"""RA-CMKD's own low levels, which have nothing but the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much is done.

    Attributes:
        samples: most of the public part that students see.
        views: variations of these.
        assistants: wide students that teach a pruned one.
        wide_epochs: of each.
        epochs: of a pruned student; comparators, from scratch, train for both together.
        ablated: seeds under which ours is also taken apart.
        timings: of each model, batches of one.
    """

    seeds: tuple[int, ...]
    teacher_epochs: int
    samples: int
    views: int
    assistants: int
    wide_epochs: int
    epochs: int
    timings: int
    ablated: tuple[int, ...]

    def to_plain(self) -> dict[str, Any]:
        """Return plain values, with the levels."""
        levels = {plan.name: asdict(plan) for plan in (*LEVELS, *POSTER)}
        return {
            **asdict(self),
            "wide_student_width": WIDE,
            "levels": levels,
            "stages": STAGES.model_dump(),
        }


FULL = Amount(
    seeds=(41, 42, 43),
    teacher_epochs=40,
    samples=100_000,
    views=4,
    assistants=2,
    wide_epochs=10,
    epochs=14,
    timings=600,
    ablated=(41,),
)
QUICK = Amount(
    seeds=(31,),
    teacher_epochs=5,
    samples=1600,
    views=2,
    assistants=2,
    wide_epochs=4,
    epochs=6,
    timings=200,
    ablated=(31,),
)
