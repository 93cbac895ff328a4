"""The one thing that a device tells the cloud about its data: a noised summary."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.config import SummaryConfig
from edgestill.errors import FrameError
from edgestill.privacy import add_gaussian_noise

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the cloud learns of a device's samples, noise included.

    Attributes:
        kind: ``histogram`` or ``prototypes``.
        histogram: [K] samples per class; may be negative.
        sums: [K, P], per class the sum of its samples' clipped projections; None for a histogram.
        noise_stddev: standard deviation of the noise on every number; public.
    """

    kind: Literal["histogram", "prototypes"]
    histogram: FloatArray
    sums: FloatArray | None
    noise_stddev: float


def summarize(
    config: SummaryConfig,
    *,
    labels: NDArray[np.int64],
    projections: FloatArray | None,
    classes: int,
    rng: np.random.Generator,
) -> Summary:
    """Summarise a device's samples by one Gaussian mechanism.

    Adding or removing one sample (x, y) changes the histogram by the unit vector of y, and the row
    y of the sums by clip(x), of L2 norm C = ``clip_norm`` at most. Seen as one vector the release
    therefore moves by sqrt(1 + C^2) at most (1 for the histogram alone), and Gaussian noise of
    standard deviation ``noise_multiplier`` times that on every number makes it one Gaussian
    mechanism (Dwork & Roth, 2014, appendix A), whose cost is
    :func:`edgestill.privacy.gaussian_epsilon` of one step.

    Args:
        config: kind, clip norm and noise multiplier.
        labels: [n] in 0..classes - 1; n may be 0.
        projections: [n, P] of the same samples; unused for a histogram.
        classes: K.
        rng: source of the noise; must not be one that others can guess.

    Raises:
        ValueError: prototypes without projections, or of another length than the labels.
    """
    exact = {"histogram": np.bincount(labels, minlength=classes).astype(np.float32)}
    sensitivity = 1.0
    if config.kind == "prototypes":
        if projections is None or len(projections) != len(labels):
            raise ValueError("prototypes need the projection of every sample")
        exact["sums"] = _clipped_sums(labels, projections, config.clip_norm, classes)
        sensitivity = math.hypot(1.0, config.clip_norm)
    stddev = config.noise_multiplier * sensitivity
    noised = add_gaussian_noise(exact, stddev=stddev, rng=rng)
    return Summary(
        kind=config.kind,
        histogram=noised["histogram"],
        sums=noised.get("sums"),
        noise_stddev=stddev,
    )


def _clipped_sums(
    labels: NDArray[np.int64], projections: FloatArray, clip_norm: float, classes: int
) -> FloatArray:
    norms = np.linalg.norm(projections, axis=1, keepdims=True)
    clipped = projections * np.minimum(1.0, clip_norm / np.maximum(norms, 1e-12))
    sums = np.zeros((classes, projections.shape[1]), np.float64)
    np.add.at(sums, labels, clipped)
    return sums.astype(np.float32)


def encode_summary(summary: Summary, *, fingerprint: int) -> bytes:
    """Return the summary's frame, made for the projection of this fingerprint."""
    arrays = {
        "histogram": summary.histogram,
        "noise_stddev": np.array(summary.noise_stddev, np.float32),
    }
    if summary.sums is not None:
        arrays["sums"] = summary.sums
    return encode_arrays(arrays, bits=32, fingerprint=fingerprint)


def decode_summary(frame: bytes, *, fingerprint: int) -> Summary:
    """Return the summary of a frame.

    Raises:
        FrameError: anything but a frame of :func:`encode_summary` with this fingerprint.
    """
    arrays = decode_arrays(frame, fingerprint=fingerprint)
    sums = arrays.pop("sums", None)
    if set(arrays) != {"histogram", "noise_stddev"}:
        raise FrameError(f"summary frame holds {sorted(arrays)}")
    histogram, stddev = arrays["histogram"], arrays["noise_stddev"]
    if any(array.dtype != np.float32 for array in (histogram, stddev)) or (
        sums is not None and sums.dtype != np.float32
    ):
        raise FrameError("summary frame holds other numbers than float32")
    if histogram.ndim != 1 or stddev.ndim != 0 or stddev < 0:
        raise FrameError(f"summary frame has shapes {histogram.shape} and {stddev.shape}")
    if sums is not None and (sums.ndim != 2 or len(sums) != len(histogram)):
        raise FrameError(f"summary frame has sums {sums.shape} for {len(histogram)} classes")
    return Summary(
        kind="histogram" if sums is None else "prototypes",
        histogram=histogram,
        sums=sums,
        noise_stddev=float(stddev),
    )
