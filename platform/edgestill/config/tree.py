"""The one typed tree of a run: every key, its unit, its range and its default.

Models are frozen and refuse unknown keys. A resolved tree written as YAML and read again is equal.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Ratio = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Bounds = tuple[float, float, float]
LevelName = Literal["high", "medium", "low", "critical"]
ModalityKind = Literal["visual", "audio", "sensor"]


class Section(BaseModel):
    """Base of every section: frozen, no unknown keys, no NaN, no yes or no where a number belongs.

    A number written as text is taken, since YAML 1.1 reads ``1e-3`` as text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _not_boolean(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("no key takes yes or no")
        return value


class PartitionConfig(Section):
    """How the private part is dealt to devices; each sample goes to exactly one device."""

    kind: Literal["iid", "dirichlet", "shards", "user"] = "dirichlet"
    alpha: Positive = 0.5
    shards_per_device: int = Field(default=2, ge=1)


class DataConfig(Section):
    """Which dataset, in which layout, dealt in which way.

    ``name`` is ``av_digits`` (bundled) or any label when ``path`` names a folder. ``layout`` says
    how the folder is laid out: ``manifest`` (a manifest.yaml), or a published layout.
    """

    name: str = "av_digits"
    path: Path | None = None
    layout: Literal["manifest", "multibench_avmnist", "written_spoken_digits"] = "manifest"
    partition: PartitionConfig = PartitionConfig()


class TeacherConfig(Section):
    """The cloud's model, trained once on the public part."""

    factory: str = "edgestill.models:teacher"
    epochs: int = Field(default=40, ge=1)
    patience_epochs: int = Field(default=6, ge=1)
    batch_size: int = Field(default=64, ge=1)
    learning_rate: Positive = 1e-3


class StudentConfig(Section):
    """The devices' model: any ``package.module:attribute`` that builds a torch module."""

    factory: str = "edgestill.models:student"


class TrainingConfig(Section):
    """One device's local training; epochs come from its allocation."""

    batch_size: int = Field(default=8, ge=1)
    learning_rate: Positive = 0.05
    momentum: Ratio = 0.9
    gradient_clip_norm: Positive = 5.0


class SummaryConfig(Section):
    """What a device tells the cloud about its data, once: clipped, noised, accounted."""

    kind: Literal["histogram", "prototypes"] = "prototypes"
    clip_norm: Positive = 1.0
    noise_multiplier: Positive = 1.0


class LossConfig(Section):
    """Base coefficients of L = a(R) L_task + b(R) L_distill + g(R) L_align + d(R) L_resource."""

    distill: float = Field(default=1.0, ge=0.0)
    align: float = Field(default=0.1, ge=0.0)
    resource: float = Field(default=0.1, ge=0.0)
    feature: float = Field(default=1.0, ge=0.0)
    temperature: Positive = 4.0
    contrastive_temperature: Positive = 0.07


class KnowledgeConfig(Section):
    """Which of the teacher's public samples a device distils from, each round."""

    selection: Literal["relevance", "all", "random", "reversed", "none"] = "relevance"
    samples_per_round: int = Field(default=64, ge=1)
    keep_ratio: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    relevance_temperature: Positive = 0.5
    summary: SummaryConfig = SummaryConfig()
    loss: LossConfig = LossConfig()


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


class LevelConfig(Section):
    """What a level lets a device spend. ``modalities`` maps kind to the share of its input kept."""

    modalities: dict[ModalityKind, Annotated[float, Field(gt=0.0, le=1.0)]]
    width: Annotated[float, Field(gt=0.0, le=1.0)]
    bits: Literal[4, 8, 16]
    epochs: int = Field(ge=1)
    participation: Ratio = 1.0


class LevelsConfig(Section):
    """RA-CMKD's four levels (Cherian & Manoov, results table), with the sensor modality added."""

    high: LevelConfig = LevelConfig(
        modalities={"visual": 1.0, "audio": 1.0, "sensor": 1.0}, width=1.0, bits=8, epochs=2
    )
    medium: LevelConfig = LevelConfig(
        modalities={"visual": 1.0, "audio": 0.5, "sensor": 1.0}, width=0.75, bits=8, epochs=2
    )
    low: LevelConfig = LevelConfig(modalities={"visual": 1.0}, width=0.5, bits=8, epochs=1)
    critical: LevelConfig = LevelConfig(
        modalities={"visual": 0.5}, width=0.5, bits=4, epochs=1, participation=0.5
    )

    @model_validator(mode="after")
    def _widths_descend(self) -> "LevelsConfig":
        # A device lowers its level on its own, and has received no more than its group's block.
        widths = [level.width for _, level in self]
        if widths != sorted(widths, reverse=True):
            raise ValueError(f"width must not grow from a level to the next lower, got {widths}")
        return self

    @model_validator(mode="before")
    @classmethod
    def _keep_what_is_not_given(cls, given: Any) -> Any:
        """Let a level that is given in part keep the rest of its defaults."""
        if not isinstance(given, dict):
            return given
        return {
            name: {**cls.model_fields[name].default.model_dump(), **level}
            if name in cls.model_fields and isinstance(level, dict)
            else level
            for name, level in given.items()
        }


class ThresholdsConfig(Section):
    """Where the levels begin; hysteresis is how far a signal must fall back before it counts."""

    cpu_ratio: tuple[Ratio, Ratio, Ratio] = (0.40, 0.65, 0.90)
    free_memory_bytes: tuple[Positive, Positive, Positive] = (60e6, 40e6, 20e6)
    battery_ratio: tuple[Ratio, Ratio, Ratio] = (0.50, 0.30, 0.15)
    temperature_c: tuple[float, float, float] = (45.0, 60.0, 75.0)
    hysteresis_ratio: Ratio = 0.10
    rounds_before_raise: int = Field(default=1, ge=1)

    @field_validator("cpu_ratio", "temperature_c")
    @classmethod
    def _ascending(cls, bounds: Bounds) -> Bounds:
        if list(bounds) != sorted(bounds):
            raise ValueError("bounds of medium, low and critical must not descend")
        return bounds

    @field_validator("free_memory_bytes", "battery_ratio")
    @classmethod
    def _descending(cls, bounds: Bounds) -> Bounds:
        if list(bounds) != sorted(bounds, reverse=True):
            raise ValueError("bounds of medium, low and critical must not ascend")
        return bounds


class AllocationConfig(Section):
    """Who decides what each group may spend."""

    policy: Literal["static", "threshold"] = "threshold"
    level: LevelName = "high"
    levels: LevelsConfig = LevelsConfig()
    thresholds: ThresholdsConfig = ThresholdsConfig()


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
    fraction: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    over_selection: Ratio = 0.0
    deadline_s: Positive | None = None
    interval_s: float = Field(default=0.0, ge=0.0)
    timeout_s: Positive = 600.0


class PrivacyConfig(Section):
    """What an update costs: its L2 norm is clipped, noise of multiplier x clip is added."""

    update_clip_norm: Positive = 10.0
    update_noise_multiplier: float = Field(default=0.0, ge=0.0)
    delta: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-5


class TelemetryConfig(Section):
    """The exporter; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65_535)
    max_device_series: int = Field(default=256, ge=0)


class EngineConfig(Section):
    """The Ray side: how many actors of each tier."""

    cohorts: int = Field(default=2, ge=1)
    fogs: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _fog_has_cohorts(self) -> "EngineConfig":
        if self.fogs > self.cohorts:
            raise ValueError(f"fogs ({self.fogs}) must not exceed cohorts ({self.cohorts})")
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
