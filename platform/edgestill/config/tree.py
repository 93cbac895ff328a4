"""The one typed tree of a run: every key, its unit, its range and its default.

Models are frozen and refuse unknown keys. A resolved tree written as YAML and read again is equal.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgestill.config.allocation import AllocationConfig
from edgestill.config.fleet import FleetConfig
from edgestill.config.learning import (
    DataConfig,
    KnowledgeConfig,
    StudentConfig,
    TeacherConfig,
    TrainingConfig,
)
from edgestill.config.section import Positive, Ratio, Section, Share


class FederationConfig(Section):
    """Flower's rounds. ``options`` are handed to the strategy's constructor.

    ``deadline_s`` and ``interval_s`` are virtual: when a round closes at the latest, and how long
    after its start the next one starts at the earliest. ``timeout_s`` is real: how long the
    coordinator waits for replies.
    """

    strategy: Literal[
        "FedAvg", "FedProx", "FedAdam", "FedYogi", "FedMedian", "FedTrimmedAvg", "Krum"
    ] = "FedAvg"
    options: dict[str, float | int] = Field(default_factory=dict)
    rounds: int = Field(default=10, ge=1)
    fraction: Share = 1.0
    over_selection: Ratio = 0.0
    deadline_s: Positive | None = None
    interval_s: float = Field(default=0.0, ge=0.0)
    timeout_s: Positive = 600.0


class PrivacyConfig(Section):
    """What an update costs: its L2 norm is clipped, noise of multiplier x clip is added.

    ``epsilon_budget`` is what may be spent before an alert fires.
    """

    update_clip_norm: Positive = 10.0
    update_noise_multiplier: float = Field(default=0.0, ge=0.0)
    epsilon_budget: Positive | None = None
    delta: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-5


class TelemetryConfig(Section):
    """The exporter; port 0 takes a free one.

    A run tells Prometheus where it exports by a file in ``targets_path``, by default
    ``$XDG_STATE_HOME/edgestill/targets``, and removes the file at its end.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)
    max_device_series: int = Field(default=256, ge=0)
    targets_path: Path | None = None


class EngineConfig(Section):
    """The Ray side: how many actors of each tier.

    The pool begins with ``cohorts`` and stays between ``cohorts_min`` and ``cohorts_max``, both
    ``cohorts`` unless given; after each change it rests for ``cool_down_s`` (real).
    """

    cohorts: int = Field(default=2, ge=1)
    cohorts_min: int | None = Field(default=None, ge=1)
    cohorts_max: int | None = Field(default=None, ge=1)
    cool_down_s: float = Field(default=10.0, ge=0.0)
    fogs: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _fog_has_cohorts(self) -> "EngineConfig":
        if self.fogs > self.cohorts:
            raise ValueError(f"fogs ({self.fogs}) must not exceed cohorts ({self.cohorts})")
        return self

    @model_validator(mode="after")
    def _pool_bounds(self) -> "EngineConfig":
        low, high = self.cohorts_min or self.cohorts, self.cohorts_max or self.cohorts
        if not low <= self.cohorts <= high:
            raise ValueError(
                f"cohorts ({self.cohorts}) must lie between cohorts_min ({low}) and cohorts_max "
                f"({high})"
            )
        return self


class RunConfig(Section):
    """Root of the tree."""

    name: str = Field(default="run", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    seed: int = Field(default=7, ge=0)
    data: DataConfig = DataConfig()
    teacher: TeacherConfig = TeacherConfig()
    student: StudentConfig = StudentConfig()
    training: TrainingConfig = TrainingConfig()
    knowledge: KnowledgeConfig = KnowledgeConfig()
    fleet: FleetConfig = FleetConfig()
    allocation: AllocationConfig = AllocationConfig()
    federation: FederationConfig = FederationConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    engine: EngineConfig = EngineConfig()
    comparisons: tuple[Literal["fedavg", "local_only", "cloud_only"], ...] = ()
