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
    EvaluationConfig,
    KnowledgeConfig,
    StudentConfig,
    TeacherConfig,
    TrainingConfig,
)
from edgestill.config.section import Positive, Ratio, Section, Share
from edgestill.config.selection import UtilityConfig


class FederationConfig(Section):
    """Flower's rounds. ``options`` are handed to the strategy's constructor.

    ``deadline_s`` and ``interval_s`` are virtual: when a round closes at the latest, and how long
    after its start the next one starts at the earliest. ``timeout_s`` is real: how long the
    coordinator waits for replies. ``downlink_bits`` are those of each number of the model that goes
    down; an allocation has those of the update that comes up.

    ``selection`` ``utility`` seeks out devices by loss and speed, ``utility.*`` says how. In
    ``mode`` ``buffered`` there is no common start: ``concurrency`` devices train at any virtual
    time, and a round is a step of the server, taken when ``buffer_size`` updates have come; one
    that began s steps earlier counts 1 / (1 + s)^``staleness_exponent`` of its examples.
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
    downlink_bits: Literal[16, 32] = 16
    selection: Literal["uniform", "utility"] = "uniform"
    utility: UtilityConfig = UtilityConfig()
    mode: Literal["synchronous", "buffered"] = "synchronous"
    concurrency: int = Field(default=32, ge=1)
    buffer_size: int = Field(default=10, ge=1)
    staleness_exponent: float = Field(default=0.5, ge=0.0)

    @model_validator(mode="after")
    def _buffered_sums(self) -> "FederationConfig":
        summing = ("FedAvg", "FedProx", "FedAdam", "FedYogi")
        if self.mode == "buffered" and self.strategy not in summing:
            raise ValueError(
                f"strategy {self.strategy} needs the updates of one round side by side; mode "
                f"buffered takes {', '.join(summing)}"
            )
        return self

    @model_validator(mode="after")
    def _buffered_has_no_common_start(self) -> "FederationConfig":
        if self.mode == "synchronous":
            return self
        for key, without in (("fraction", 1.0), ("over_selection", 0.0), ("interval_s", 0.0)):
            if getattr(self, key) != without:
                raise ValueError(
                    f"{key} belongs to mode synchronous; with mode buffered leave it at {without:g}"
                    " and set concurrency and buffer_size"
                )
        return self


class PrivacyConfig(Section):
    """What an update costs: its L2 norm is clipped, noise of multiplier x clip is added.

    ``epsilon_budget`` is what may be spent before an alert fires. With ``sample_clip_norm`` devices
    train privately (DP-SGD): each own sample's gradient is clipped to it, and noise of
    ``sample_noise_multiplier`` x ``sample_clip_norm`` is added to their sum.
    """

    update_clip_norm: Positive = 10.0
    update_noise_multiplier: float = Field(default=0.0, ge=0.0)
    epsilon_budget: Positive | None = None
    delta: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-5
    sample_clip_norm: Positive | None = None
    sample_noise_multiplier: float = Field(default=0.0, ge=0.0)

    @model_validator(mode="after")
    def _sample_privacy_is_whole(self) -> "PrivacyConfig":
        if self.sample_clip_norm is None and self.sample_noise_multiplier:
            raise ValueError(
                "sample_noise_multiplier without sample_clip_norm guarantees nothing: what one "
                "sample can change has no bound; set sample_clip_norm too"
            )
        if self.sample_clip_norm is not None and not self.sample_noise_multiplier:
            raise ValueError(
                "sample_clip_norm without noise guarantees nothing; set sample_noise_multiplier too"
            )
        return self


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
    """The Ray side: how many actors of each tier, and what they compute on.

    The pool begins with ``cohorts``, by default one for each CPU of the cluster, and stays between
    ``cohorts_min`` and ``cohorts_max``, both ``cohorts`` unless given; after each change it rests
    for ``cool_down_s`` (real). There are ``fogs``, by default one on each node with cohorts.
    ``device`` ``auto`` shares the cluster's GPUs among cohorts and teacher, where every node has
    any. ``trainer`` ``auto`` trains devices with equal work together, ``sequential`` one after the
    other.
    """

    cohorts: int | None = Field(default=None, ge=1)
    cohorts_min: int | None = Field(default=None, ge=1)
    cohorts_max: int | None = Field(default=None, ge=1)
    cool_down_s: float = Field(default=10.0, ge=0.0)
    fogs: int | None = Field(default=None, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    trainer: Literal["auto", "sequential"] = "auto"

    @model_validator(mode="after")
    def _fog_has_cohorts(self) -> "EngineConfig":
        if self.fogs and self.cohorts and self.fogs > self.cohorts:
            raise ValueError(f"fogs ({self.fogs}) must not exceed cohorts ({self.cohorts})")
        return self

    @model_validator(mode="after")
    def _pool_bounds(self) -> "EngineConfig":
        low, high = self.cohorts_min or self.cohorts, self.cohorts_max or self.cohorts
        if low and high and not low <= (self.cohorts or low) <= high:
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
    evaluation: EvaluationConfig = EvaluationConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    engine: EngineConfig = EngineConfig()
    comparisons: tuple[Literal["fedavg", "local_only", "cloud_only"], ...] = ()

    @model_validator(mode="after")
    def _buffer_can_fill(self) -> "RunConfig":
        size, devices = self.federation.buffer_size, self.fleet.devices
        if self.federation.mode == "buffered" and size > devices:
            raise ValueError(
                f"federation.buffer_size ({size}) must not exceed fleet.devices ({devices}): a "
                "device counts once in a step of the server"
            )
        return self

    @model_validator(mode="after")
    def _utility_reads_the_loss(self) -> "RunConfig":
        if self.federation.selection == "utility" and self.privacy.sample_clip_norm is not None:
            raise ValueError(
                "federation.selection utility reads each device's loss on its own samples, which "
                "private training (privacy.sample_clip_norm) keeps; take selection uniform"
            )
        return self
