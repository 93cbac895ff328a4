"""What is learned from what: data, teacher, student, local training, knowledge."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from edgestill.config.section import Positive, Ratio, Section, Share


class PartitionConfig(Section):
    """How the private part is dealt to devices; each sample goes to exactly one device.

    Only under ``draw`` devices share samples: each has ``samples_per_device`` of its own choice, so
    that populations far above the number of samples are possible.
    """

    kind: Literal["iid", "dirichlet", "shards", "user", "draw"] = "dirichlet"
    alpha: Positive = 0.5
    shards_per_device: int = Field(default=2, ge=1)
    samples_per_device: int = Field(default=64, ge=1)


class DataConfig(Section):
    """Which dataset, in which layout, dealt in which way.

    ``name`` is ``av_digits``, ``affect`` or ``photo_digits`` (bundled), or any label when ``path``
    names a folder. ``layout`` says how the folder is laid out: ``manifest`` (a manifest.yaml), or a
    published one.
    """

    name: str = "av_digits"
    path: Path | None = None
    layout: Literal[
        "manifest",
        "multibench_avmnist",
        "written_spoken_digits",
        "crema_d",
        "ravdess",
        "cifar10_binary",
    ] = "manifest"
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


class AugmentationConfig(Section):
    """How inputs are varied anew at each step: Gaussian noise, and a shift along the last axis.

    The shift is drawn from -``shift_cells``..``shift_cells``; what it leaves free is zero.
    """

    noise_stddev: float = Field(default=0.0, ge=0.0)
    shift_cells: int = Field(default=0, ge=0)


class TrainingConfig(Section):
    """One device's local training; epochs come from its allocation.

    ``momentum`` is SGD's; Adam has its usual decays.
    ``personal`` names parts of the student (such as ``classifier``) that each device trains for
    itself and keeps; ``keep_optimizer`` lets it keep the optimiser's state from round to round.
    """

    batch_size: int = Field(default=8, ge=1)
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: Positive = 0.05
    momentum: Ratio = 0.9
    gradient_clip_norm: Positive = 5.0
    augmentation: AugmentationConfig = AugmentationConfig()
    personal: tuple[str, ...] = ()
    keep_optimizer: bool = False


class EvaluationConfig(Section):
    """What each device tests its student on by itself, after the last round.

    ``held_out_share`` of each device's samples (of each user's last ones, under partition kind
    ``user``) is never trained on. On these the global student is compared with a personal one: the
    global one trained on by the device, on its own samples and knowledge, for ``personal_epochs``.
    With a share of 0 nothing is held out or compared.
    """

    held_out_share: float = Field(default=0.0, ge=0.0, le=0.9)
    personal_epochs: int = Field(default=5, ge=1)


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
    """Which of the teacher's public samples a device distils from, each round.

    With ``fit_link`` and a ``federation.deadline_s`` a device on a slow link is sent its samples at
    half of their bits, and fewer of them if it must be, so that they arrive in time.

    ``subspace`` says in what the teacher's features are told: each kind in its ``own`` principal
    components, or all kinds in one ``shared`` space, weighed by how far they agree
    (RA-CMKD's alignment).
    """

    subspace: Literal["own", "shared"] = "own"
    selection: Literal["relevance", "all", "random", "reversed", "none"] = "relevance"
    samples_per_round: int = Field(default=64, ge=1)
    keep_ratio: Share = 1.0
    relevance_temperature: Positive = 0.2
    fit_link: bool = False
    summary: SummaryConfig = SummaryConfig()
    loss: LossConfig = LossConfig()
