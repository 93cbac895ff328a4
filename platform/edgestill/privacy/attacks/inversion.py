"""Feature inversion: how much of the input can be drawn again from what travels?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.privacy.attacks.decoder import (
    Decoder,
    Pairs,
    linear_decoder,
    network_decoder,
)
from edgestill.privacy.attacks.quality import mean_psnr_db, mean_ssim

Floats = NDArray[np.float32]

HELD_SHARE = 0.15
"""Of the public pairs, by which the attacker decides between his decoders."""

FEWEST_PAIRS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Inversion:
    """What an inversion attack achieved on inputs that it never saw.

    Attributes:
        psnr_db: mean peak signal-to-noise ratio of the reconstructions, at most 100.
        ssim: mean structural similarity, -1 to 1.
        blind_psnr_db: of an attacker who sees nothing and answers with the mean public input.
        blind_ssim: likewise.
        decoder: which decoder was best on public pairs held out: ``identity`` (what travels has
            the inputs' shape and is taken for the input), ``linear`` or ``network``.
        reconstructions: [N, ...] as the test inputs, in their range.
    """

    psnr_db: float
    ssim: float
    blind_psnr_db: float
    blind_ssim: float
    decoder: str
    reconstructions: Floats


def invert_features(
    seen: Floats,
    inputs: Floats,
    test_seen: Floats,
    test_inputs: Floats,
    *,
    seed: int,
    epochs: int = 30,
    value_range: tuple[float, float] | None = None,
) -> Inversion:
    """Train decoders on public pairs of features and inputs, and draw the test inputs.

    The attacker can run the encoder on public inputs of the same kind (He, Zhang & Lee, "Model
    inversion attacks against collaborative inference", ACSAC 2019, the black-box setting with an
    inverse network). Of a ridge regression and a convolutional decoder on top of it he takes the
    better one, by public pairs that he holds out.

    Args:
        seen: [N, F], [N, T, D] or [N, C', H', W'], what travels for the public inputs.
        inputs: [N, C, H, W] (images, spectrograms) or [N, C, T] (series), the public inputs.
        test_seen: [M, ...] as ``seen``.
        test_inputs: [M, ...] as ``inputs``, only compared with.
        seed: of all that is drawn.
        epochs: of the convolutional decoder; 0 leaves it out.
        value_range: smallest and largest value of an input; those of the public inputs if None.

    Raises:
        ValueError: shapes do not fit, there are too few pairs, or values are not finite.
    """
    _check(seen, inputs, test_seen, test_inputs)
    low, high = value_range or (float(inputs.min()), float(inputs.max()))
    if not high > low:
        raise ValueError(f"value_range is {low} to {high}; expected an ascending range")
    span = high - low
    pairs = _split(seen, ((inputs - low) / span).astype(np.float32), seed)
    name, decode = _best_decoder(pairs, seed=seed, epochs=epochs)
    drawn = (decode(np.asarray(test_seen, np.float32)) * span + low).astype(np.float32)
    blind = np.broadcast_to(inputs.mean(axis=0, dtype=np.float32), test_inputs.shape)
    return Inversion(
        psnr_db=mean_psnr_db(drawn, test_inputs, span=span),
        ssim=mean_ssim(drawn, test_inputs, span=span),
        blind_psnr_db=mean_psnr_db(blind, test_inputs, span=span),
        blind_ssim=mean_ssim(blind, test_inputs, span=span),
        decoder=name,
        reconstructions=drawn,
    )


def _best_decoder(pairs: Pairs, *, seed: int, epochs: int) -> tuple[str, Decoder]:
    decoders: dict[str, Decoder] = {}
    if pairs.seen.shape == pairs.inputs.shape:
        decoders["identity"] = _identity(pairs)
    decoders["linear"] = linear_decoder(pairs)
    if epochs:
        decoders["network"] = network_decoder(pairs, decoders["linear"], seed=seed, epochs=epochs)
    name = min(decoders, key=lambda one: pairs.error(decoders[one]))
    return name, decoders[name]


def _identity(pairs: Pairs) -> Decoder:
    """Return a decoder that brings the seen values' mean and spread to the inputs'."""
    scale = float(pairs.inputs.std()) / max(float(pairs.seen.std()), 1e-12)
    shift = float(pairs.inputs.mean()) - scale * float(pairs.seen.mean())

    def decode(seen: Floats) -> Floats:
        return np.clip(seen * scale + shift, 0.0, 1.0).astype(np.float32)

    return decode


def _split(seen: Floats, inputs: Floats, seed: int) -> Pairs:
    order = np.random.default_rng(seed).permutation(len(seen))
    held = max(1, round(HELD_SHARE * len(seen)))
    shown = np.asarray(seen, np.float32)
    return Pairs(
        seen=shown[order[held:]],
        inputs=inputs[order[held:]],
        held_seen=shown[order[:held]],
        held_inputs=inputs[order[:held]],
    )


def _check(seen: Floats, inputs: Floats, test_seen: Floats, test_inputs: Floats) -> None:
    fits = (
        len(seen) == len(inputs)
        and len(test_seen) == len(test_inputs) >= 1
        and seen.shape[1:] == test_seen.shape[1:]
        and inputs.shape[1:] == test_inputs.shape[1:]
        and inputs.ndim in (3, 4)
        and seen.ndim in (2, 3, 4)
    )
    if not fits or len(seen) < FEWEST_PAIRS:
        raise ValueError(
            f"seen {seen.shape}, inputs {inputs.shape}, test {test_seen.shape} and "
            f"{test_inputs.shape}: expected at least {FEWEST_PAIRS} public pairs and one of test, "
            "inputs of three or four axes, and equal shapes on both sides"
        )
    if not all(np.isfinite(part).all() for part in (seen, inputs, test_seen, test_inputs)):
        raise ValueError("features or inputs contain NaN or infinity")
