"""One device's training as a value: from where, on what, how, and what came of it."""

from dataclasses import dataclass, field

from edgestill.config import PrivacyConfig
from edgestill.knowledge import Coefficients, KnowledgeBatch
from edgestill.models import Arrays, Variant
from edgestill.training.batches import Samples

TERMS = ("task", "distill", "align", "resource")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplePrivacy:
    """DP-SGD's parameters (Abadi et al., CCS 2016, algorithm 1).

    Attributes:
        clip_norm: C, the L2 norm that one sample's gradient is clipped to.
        noise_multiplier: sigma; the noise's standard deviation is sigma C.
    """

    clip_norm: float
    noise_multiplier: float

    @classmethod
    def of(cls, privacy: PrivacyConfig) -> "SamplePrivacy | None":
        """Return what the configuration asks for; None where it asks for no private training."""
        if privacy.sample_clip_norm is None:
            return None
        return cls(
            clip_norm=privacy.sample_clip_norm, noise_multiplier=privacy.sample_noise_multiplier
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalWork:
    """What one device is to do in one round.

    Attributes:
        variant: the part of the model that it trains.
        epochs: passes over its own samples.
        coefficients: the weights of the loss's terms at its resources.
        pressure: its resource pressure in 0..1; the budget of L_resource is what is left.
        proximal_mu: FedProx's mu, 0 for none.
        seed: of the order of samples, of dropout, augmentation and private training's noise.
        optimizer: the optimiser's state of an earlier round, empty for none.
        sample_privacy: of its own samples, None for none.
    """

    variant: Variant
    epochs: int
    coefficients: Coefficients
    pressure: float
    proximal_mu: float
    seed: int
    optimizer: Arrays = field(default_factory=dict)
    sample_privacy: SamplePrivacy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMember:
    """What one device trains.

    Attributes:
        arrays: name to float32 array where it begins, those of the work's variant.
        samples: its own, at least one.
        knowledge: public samples with the teacher's outputs, or None.
        work: how.
    """

    arrays: Arrays
    samples: Samples
    knowledge: KnowledgeBatch | None
    work: LocalWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of it.

    Attributes:
        arrays: those of the variant.
        steps: taken.
        terms: each term's mean over the steps. Under private training the task's is that of the
            public samples, since that of its own would tell of them.
        optimizer: the optimiser's state, empty unless ``training.keep_optimizer``.
    """

    arrays: Arrays
    steps: int
    terms: dict[str, float]
    optimizer: Arrays = field(default_factory=dict)
