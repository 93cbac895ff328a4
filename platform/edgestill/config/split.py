"""A model that is split between device and server: its own small tree."""

from typing import Annotated, Literal

from pydantic import Field

from edgestill.config.section import Positive, Section

Count = Annotated[int, Field(ge=1)]


class CodecConfig(Section):
    """How a device's tokens travel (TOFC, Yuan et al., IEEE TMC 2026).

    ``merging`` leaves ``tokens`` of the image's 144 (``none`` leaves all); ``experts`` entropy
    models code them, one is a plain hyperprior. For each of ``rate_weights`` (lambda) a codec and a
    server's half are trained: the larger, the fewer bytes.
    """

    merging: Literal["dpc_knn", "pooling", "random", "none"] = "dpc_knn"
    tokens: int = Field(default=8, ge=1, le=144)
    experts: int = Field(default=16, ge=1, le=64)
    rate_weights: tuple[Positive, ...] = Field(default=(0.003, 0.02, 0.15), min_length=1)


class SplitConfig(Section):
    """What ``edgestill split`` trains: the encoder once, then codec and server for each rate.

    ``scenes`` of the public part are learned from; epochs may be fractions.
    """

    name: str = Field(default="split", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    seed: int = Field(default=7, ge=0)
    data: Literal["scene_vqa"] = "scene_vqa"
    scenes: Count = 6000
    scene_epochs: Positive = 4.0
    answer_epochs: Positive = 24.0
    joint_epochs: float = Field(default=1.0, ge=0.0)
    codec_epochs: Positive = 2.0
    codec: CodecConfig = CodecConfig()
