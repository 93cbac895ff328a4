"""Who decides what each group of devices may spend, from which signals."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from edgestill.config.section import (
    LevelName,
    ModalityKind,
    Positive,
    Ratio,
    Section,
    Share,
)

Bounds = tuple[float, float, float]
AudioStage = Literal["resolution", "bands", "spectral", "temporal", "temporal_spectral"]


class LevelConfig(Section):
    """What a level lets a device spend. ``modalities`` maps kind to its stage's rate."""

    modalities: dict[ModalityKind, Share]
    width: Share
    bits: Literal[4, 8, 16, 32]
    epochs: int = Field(ge=1)
    participation: Ratio = 1.0


class StagesConfig(Section):
    """How each modality is compressed to the rate that a level gives it (``levels.*.modalities``).

    After RA-CMKD (Cherian & Manoov, "Modality-Specific Compression"). ``resolution`` pools, for the
    image along both axes. Audio: ``bands`` keeps the bands that vary most over the public part,
    ``spectral`` the strongest coefficients of each sample's cosine transform, ``temporal`` takes
    frames that hardly differ as one, ``temporal_spectral`` does both. Sensor: ``statistics`` are
    means and deviations of windows, ``components`` the leading principal components of the public
    part.
    """

    visual: Literal["resolution"] = "resolution"
    audio: AudioStage = "resolution"
    sensor: Literal["resolution", "statistics", "components"] = "resolution"


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


class SignalsConfig(Section):
    """What is asked of a Prometheus server before each round, and when an answer is too old.

    Each expression gives an instant vector with one sample for each group, told apart by the label
    ``group``; ``$run`` stands for the run's own label. A round waits up to ``wait_s`` (real) for
    Prometheus to scrape what the round has just exported: the virtual clock leaps, so without it a
    decision would lag by a round. A signal older than ``stale_after_s`` (real), missing or absurd
    is not used: the level is held for ``hold_rounds`` rounds, then it falls to the safe level.
    """

    cpu_ratio: str = 'edgestill_group_cpu_ratio{run="$run"}'
    free_memory_bytes: str = 'edgestill_group_free_memory_bytes{run="$run"}'
    battery_ratio: str = 'edgestill_group_battery_ratio{run="$run"}'
    temperature_c: str = 'edgestill_group_temperature_celsius{run="$run"}'
    age_s: str = 'time() - timestamp(edgestill_group_cpu_ratio{run="$run"})'
    vitals_virtual_s: str = 'edgestill_vitals_virtual_seconds{run="$run"}'
    stale_after_s: Positive = 30.0
    hold_rounds: int = Field(default=2, ge=0)
    wait_s: float = Field(default=3.0, ge=0.0)


class BudgetConfig(Section):
    """What the whole fleet may spend in a round; None is without bound.

    The time that a device may take is ``federation.deadline_s``.
    """

    uplink_bytes: Positive | None = None
    energy_j: Positive | None = None


class AllocationConfig(Section):
    """Who decides what each group may spend.

    ``prometheus_url`` names the server that the signals are asked of; without one they come from
    this process. Its bearer token is the content of ``prometheus_token_file`` or of the environment
    variable EDGESTILL_PROMETHEUS_TOKEN; ``prometheus_ca_file`` holds the certificates to trust.
    """

    policy: Literal["static", "threshold", "priority", "predictive"] = "threshold"
    level: LevelName = "high"
    safe_level: LevelName = "critical"
    levels: LevelsConfig = LevelsConfig()
    stages: StagesConfig = StagesConfig()
    thresholds: ThresholdsConfig = ThresholdsConfig()
    budget: BudgetConfig = BudgetConfig()
    signals: SignalsConfig = SignalsConfig()
    prometheus_url: str | None = Field(default=None, pattern=r"^https?://[^\s]+$")
    prometheus_token_file: Path | None = None
    prometheus_ca_file: Path | None = None
    prometheus_timeout_s: Positive = 5.0
