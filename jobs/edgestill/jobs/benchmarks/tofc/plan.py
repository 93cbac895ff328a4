"""What is measured, and how much of it. All was chosen on validation scenes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edgestill.codec.learned import Kind
from edgestill.inference.split import Merging

BANDWIDTHS_BYTES_PER_S = (25_000, 50_000, 100_000)
CLAIMED_BANDWIDTH_BYTES_PER_S = 50_000
COUNT = 8
"""Tokens after merging, but where their number is what is looked at."""

POOLED = Merging(method="pooling", count=COUNT)
EXPERTS = 16
"""As in TOFC (Yuan et al., IEEE TMC 2026)."""

OURS, ONE_EXPERT, POOLING = f"{EXPERTS} experts", "1 expert", "pooling"

WEIGHTS = (0.003, 0.02, 0.15, 0.8)
"""Lambda: cross-entropy against bits per element."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCoding:
    """Tokens as they are sent: merged, then coded.

    Attributes:
        name: of the curve that the point belongs to.
        experts: entropy models; one is TOFC's hyperprior alone.
        rate_weight: lambda.
    """

    name: str
    rate_weight: float
    merging: Merging = Merging(count=COUNT)  # noqa: RUF009 - frozen
    experts: int = EXPERTS

    @property
    def kind(self) -> Kind:
        """Which entropy model."""
        return "mixture" if self.experts > 1 else "hyperprior"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainCoding:
    """Merged tokens at some bits per element, with nothing learned."""

    name: str
    bits: int
    merging: Merging = Merging(count=COUNT)  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageCoding:
    """The picture as it is sent.

    Attributes:
        form: a key of :data:`edgestill.jobs.benchmarks.tofc.pictures.SAVED`.
        quality: of the codec, 0..100.
        side: pixels it is shrunk to before; the server enlarges it again.
        tuned: whether encoder and head are trained further on pictures so compressed.
    """

    form: str
    quality: int
    side: int
    tuned: bool

    @property
    def name(self) -> str:
        """The curve that the point belongs to."""
        return f"{self.form}{', fine-tuned' if self.tuned else ''}"


Coding = TokenCoding | PlainCoding | ImageCoding

_PICTURES = (
    ("JPEG 4:4:4", 96, (5, 15, 35, 65, 90, 98)),
    ("JPEG 4:4:4", 64, (35, 75)),
    ("JPEG", 96, (35, 90)),
    ("WebP", 96, (0, 10, 30, 60, 85)),
    ("WebP", 64, (40,)),
    ("WebP lossless", 96, (75,)),
)
_TUNED = (
    ("JPEG 4:4:4", 96, (15, 35, 65, 90)),
    ("WebP", 96, (30, 85)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """How much is trained and tested.

    Attributes:
        seeds: each with its own encoder, codecs and heads.
        scenes: of the public part.
        scene_epochs, answer_epochs, joint_epochs: of the model before any codec.
        codec_epochs: for each codec, with its head.
        tuned_scenes: how many compressed pictures a model is tuned on.
        tuned_epochs: how often.
        validated, tested: scenes.
        codings: all that is compared.
    """

    seeds: tuple[int, ...]
    scenes: int
    scene_epochs: float
    answer_epochs: float
    joint_epochs: float
    codec_epochs: float
    tuned_scenes: int
    tuned_epochs: float
    validated: int
    tested: int
    codings: tuple[Coding, ...]


def tokens_swept(weights: Sequence[float], experts: Sequence[int]) -> list[Coding]:
    """Return TOFC at each lambda, for several numbers of experts."""
    return [
        TokenCoding(
            name=f"{count} experts" if count > 1 else ONE_EXPERT, rate_weight=w, experts=count
        )
        for count in experts
        for w in weights
    ]


def ablations() -> list[Coding]:
    """Return other mergings and other numbers of tokens, with one entropy model."""
    random, none = Merging(method="random", count=COUNT), Merging(method="none", count=144)
    middle = WEIGHTS[1]
    return [
        *(_merged(POOLING, POOLED, weight) for weight in WEIGHTS[1:3]),
        _merged("random", random, middle),
        _merged("no merging", none, middle),
        _merged("16 tokens", Merging(count=16), middle),
        _merged("6 tokens", Merging(count=6), middle),
    ]


def _merged(name: str, merging: Merging, weight: float) -> Coding:
    return TokenCoding(name=name, rate_weight=weight, merging=merging, experts=1)


def pictures(settings: Sequence[tuple[str, int, Sequence[int]]], *, tuned: bool) -> list[Coding]:
    """Return an image codec's settings: form, side, qualities."""
    return [
        ImageCoding(form=form, quality=quality, side=side, tuned=tuned)
        for form, side, qualities in settings
        for quality in qualities
    ]


_PLAIN = [PlainCoding(name=f"int{bits}" if bits < 16 else "fp16", bits=bits) for bits in (8, 16)]

FULL = Amount(
    seeds=(71, 72, 73),
    scenes=6_000,
    scene_epochs=4,
    answer_epochs=24,
    joint_epochs=3,
    codec_epochs=3,
    tuned_scenes=6_000,
    tuned_epochs=2,
    validated=300,
    tested=1_000,
    codings=(
        *tokens_swept(WEIGHTS, (1, EXPERTS)),
        *tokens_swept(WEIGHTS[1:3], (4,)),
        *ablations(),
        *_PLAIN,
        *pictures(_PICTURES, tuned=False),
        *pictures(_TUNED, tuned=True),
    ),
)
QUICK = replace(
    FULL,
    seeds=(31,),
    scenes=3_200,
    answer_epochs=14,
    joint_epochs=0,
    codec_epochs=2,
    tuned_scenes=1_200,
    validated=200,
    tested=300,
    codings=(
        *tokens_swept(WEIGHTS[1:3], (1, EXPERTS)),
        _merged(POOLING, POOLED, WEIGHTS[1]),
        *_PLAIN,
        *pictures([("JPEG 4:4:4", 96, (15, 65, 90)), ("WebP", 96, (30,))], tuned=False),
        *pictures([("JPEG 4:4:4", 96, (65,))], tuned=True),
    ),
)
