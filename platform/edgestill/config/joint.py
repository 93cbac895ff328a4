"""A model for joint inference of edge and cloud: its own small tree."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from edgestill.config.section import Positive, Ratio, Section

Rule = Literal[
    "least_confidence",
    "normalised_entropy",
    "smallest_margin",
    "unsure_boxes",
    "mean_box_doubt",
    "box_variance",
]
BOX_RULES = ("unsure_boxes", "mean_box_doubt", "box_variance")
Epochs = Annotated[float, Field(ge=0.0)]


class DistillationConfig(Section):
    """Knowledge from the cloud to the edge: ``share`` of the loss is the distance to the cloud.

    With a ``feature_weight`` the edge's tokens, through an adapter that is then let go, also learn
    to tell the cloud's features.
    """

    share: Ratio = 0.5
    feature_weight: float = Field(default=0.0, ge=0.0)


class AdaptationConfig(Section):
    """Knowledge from the edge to the cloud: adapter, tail and codec are trained together.

    The loss is the task's, ``feature_weight`` * the distance to the cloud's own features,
    ``distillation_weight`` * the distance to its answers, and for each rate its own of
    ``rate_weights`` (lambda, coarsest rate first) * bits per number.
    """

    epochs: Positive = 6.0
    rate_weights: tuple[Positive, ...] = Field(default=(1.0, 0.3, 0.08), min_length=1, max_length=8)
    feature_weight: float = Field(default=1.0, ge=0.0)
    distillation_weight: float = Field(default=0.5, ge=0.0)


class RecallConfig(Section):
    """Recall boosting at the edge, for what must not be missed.

    Of a classification these are ``classes``, whose loss counts ``weight`` times; of a detection
    every object. A weight of 1 boosts nothing.
    """

    classes: tuple[Annotated[int, Field(ge=0)], ...] = ()
    weight: Positive = 1.0


class GateConfig(Section):
    """Which inputs are handed on: those harder than a threshold that is found on validation data.

    ``wanted`` says by what: ``accuracy``, at least ``value`` of the cloud's own; ``offload_rate``,
    at most ``value`` of the inputs; ``recall``, at least ``value`` of what the edge gets wrong
    (among the inputs of ``recall.classes``). Without a ``rule`` it is the task's usual one.
    """

    rule: Rule | None = None
    wanted: Literal["accuracy", "offload_rate", "recall"] = "accuracy"
    value: Ratio = 0.99


class JointConfig(Section):
    """What ``edgestill joint`` trains: cloud, edge, then adapter and codec; and a fog if asked for.

    Epochs may be fractions; ``fog_epochs`` of 0 makes no fog.
    """

    name: str = Field(default="joint", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    seed: int = Field(default=7, ge=0)
    data: Literal["photo_digits", "digit_scenes"] = "photo_digits"
    cloud_epochs: Positive = 8.0
    fog_epochs: Epochs = 6.0
    edge_epochs: Positive = 8.0
    distillation: DistillationConfig = DistillationConfig()
    adaptation: AdaptationConfig = AdaptationConfig()
    recall: RecallConfig = RecallConfig()
    gate: GateConfig = GateConfig()

    @field_validator("gate")
    @classmethod
    def _rule_fits(cls, gate: GateConfig, info: ValidationInfo) -> GateConfig:
        boxes = gate.rule in BOX_RULES
        if gate.rule is not None and boxes != (info.data.get("data") == "digit_scenes"):
            raise ValueError(f"rule {gate.rule} is not for {info.data.get('data')}")
        return gate

    @field_validator("recall")
    @classmethod
    def _classes_fit(cls, recall: RecallConfig, info: ValidationInfo) -> RecallConfig:
        if recall.classes and info.data.get("data") == "digit_scenes":
            raise ValueError("digit_scenes takes no classes; every object counts")
        return recall
