"""All attacks on whatever may travel, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.privacy.attacks.attributes import AttributeInference, infer_attribute
from edgestill.privacy.attacks.inversion import Inversion, invert_features

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What travels, by one representation: ``public`` [N, ...] and ``test`` [M, ...]."""

    public: Floats
    test: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What an attacker is after.

    Attributes:
        public_inputs: [N, C, H, W] or [N, C, T], known to the attacker.
        test_inputs: [M, ...], not known.
        public_attribute: [N] integers, such as users; None leaves the attribute attack out.
        test_attribute: [M] integers.
        value_range: of the inputs; None takes that of the public ones.
    """

    public_inputs: Floats
    test_inputs: Floats
    public_attribute: Integers | None = None
    test_attribute: Integers | None = None
    value_range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leakage:
    """What one representation leaks."""

    name: str
    inversion: Inversion
    attribute: AttributeInference | None

    def row(self) -> dict[str, str | float | None]:
        """Return plain figures for a table or a report."""
        found = self.attribute
        return {
            "representation": self.name,
            "inversion_psnr_db": self.inversion.psnr_db,
            "inversion_ssim": self.inversion.ssim,
            "blind_psnr_db": self.inversion.blind_psnr_db,
            "blind_ssim": self.inversion.blind_ssim,
            "inversion_decoder": self.inversion.decoder,
            "attribute_accuracy": None if found is None else found.accuracy,
            "attribute_chance": None if found is None else found.chance,
        }


def leakage_table(
    representations: Mapping[str, Seen], secrets: Secrets, *, seed: int, epochs: int = 30
) -> list[Leakage]:
    """Attack each representation by inversion and, where attributes are given, by a probe.

    Membership is of the model and not of what travels for a sample: see
    :func:`~edgestill.privacy.attacks.membership.likelihood_ratio_attack`.

    Args:
        representations: by name, such as raw, features, coded at each rate.
        secrets: the same for all.
        seed: of all that is drawn.
        epochs: of the inversion's decoder.

    Raises:
        ValueError: shapes do not fit.
    """
    return [
        Leakage(
            name=name,
            inversion=invert_features(
                seen.public,
                secrets.public_inputs,
                seen.test,
                secrets.test_inputs,
                seed=seed,
                epochs=epochs,
                value_range=secrets.value_range,
            ),
            attribute=_attribute(seen, secrets, seed),
        )
        for name, seen in representations.items()
    ]


def _attribute(seen: Seen, secrets: Secrets, seed: int) -> AttributeInference | None:
    if secrets.public_attribute is None or secrets.test_attribute is None:
        return None
    return infer_attribute(
        seen.public, secrets.public_attribute, seen.test, secrets.test_attribute, seed=seed
    )
