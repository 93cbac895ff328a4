"""How many devices there are, of what kinds, and what happens to them over time."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from edgestill.config.section import Positive, Section


class TraceConfig(Section):
    """A quantity over virtual time, in the quantity's own unit (a ratio unless said otherwise).

    ``constant`` value; ``diurnal`` low..high over period_s; ``walk`` a seeded bounded random walk
    between low and high with steps of step_s; ``steps`` and ``csv`` hold each value from its time
    on (CSV columns: time_s,value).
    """

    kind: Literal["constant", "diurnal", "walk", "steps", "csv"] = "constant"
    value: float = 0.0
    low: float = 0.0
    high: float = 1.0
    period_s: Positive = 86_400.0
    step_s: Positive = 60.0
    steps: tuple[tuple[float, float], ...] = ()
    path: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> "TraceConfig":
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) must not exceed high ({self.high})")
        if self.kind == "csv" and self.path is None:
            raise ValueError("kind csv needs path, a file with the columns time_s,value")
        if self.kind == "steps" and not self.steps:
            raise ValueError("kind steps needs steps, a list of [time_s, value]")
        return self


class GroupConfig(Section):
    """Devices of one profile that are allocated together; ``share`` is its weight in the fleet.

    ``load`` is the CPU used by others (0..1), ``availability`` the probability of being reachable
    (0..1), ``link`` the share of the nominal bandwidth at hand (0..1).
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    profile: str
    share: Positive = 1.0
    load: TraceConfig = TraceConfig(value=0.2)
    availability: TraceConfig = TraceConfig(value=1.0)
    link: TraceConfig = TraceConfig(value=1.0)


class FleetConfig(Section):
    """How many devices there are and of what kinds."""

    devices: int = Field(default=64, ge=1, le=10_000_000)
    groups: tuple[GroupConfig, ...] = Field(
        default=(
            GroupConfig(name="phones", profile="phone", share=3.0),
            GroupConfig(name="boards", profile="single_board_computer", share=2.0),
            GroupConfig(name="cameras", profile="camera_gateway", share=1.0),
            GroupConfig(name="wearables", profile="wearable", share=1.0),
            GroupConfig(name="microcontrollers", profile="microcontroller", share=1.0),
        ),
        min_length=1,
    )

    @model_validator(mode="after")
    def _names_differ(self) -> "FleetConfig":
        names = [group.name for group in self.groups]
        if len(set(names)) != len(names):
            raise ValueError(f"group names must differ, got {', '.join(names)}")
        return self
