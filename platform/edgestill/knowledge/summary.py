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

HISTOGRAM, PROTOTYPE, STDDEV = "histogram", "prototype", "noise_stddev"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the cloud learns of a device's samples, noise included.

    Attributes:
        kind: ``histogram`` or ``prototypes``.
        histogram: [K] samples per class; may be negative.
        prototype: [P], the sum of the samples' clipped projections, each kind with numbers of its
            own; None for a histogram.
        noise_stddev: standard deviation of the noise on every number; public.
    """

    kind: Literal["histogram", "prototypes"]
    histogram: FloatArray
    prototype: FloatArray | None
    noise_stddev: float


def summarize(
    config: SummaryConfig,
    *,
    labels: NDArray[np.int64],
    projections: FloatArray | None,
    widths: tuple[int, ...] = (),
    classes: int,
    rng: np.random.Generator,
) -> Summary:
    """Summarise a device's samples by one Gaussian mechanism.

    Adding or removing one sample (x, y) changes the histogram by the unit vector of y, and the
    prototype by clip(x), of L2 norm C = ``clip_norm`` at most. Seen as one vector the release
    therefore moves by sqrt(1 + C^2) at most (1 for the histogram alone), and Gaussian noise of
    standard deviation ``noise_multiplier`` times that on every number makes it one Gaussian
    mechanism (Dwork & Roth, 2014, appendix A), whose cost is
    :func:`edgestill.privacy.gaussian_epsilon` of one step.

    There is one prototype for all classes, since a device has few samples: the noise on a sum does
    not grow with the number of samples in it, so one sum of all stands out of it where ten sums of
    two samples each would drown.

    Args:
        config: kind, clip norm and noise multiplier.
        labels: [n] in 0..classes - 1; n may be 0.
        projections: [n, P] of the same samples, the class taken off; unused for a histogram.
        widths: numbers of each of the M kinds in a projection, each clipped to C / sqrt(M).
        classes: K.
        rng: source of the noise; must not be one that others can guess.

    Raises:
        ValueError: prototypes without projections, or of another length than the labels.
    """
    exact = {HISTOGRAM: np.bincount(labels, minlength=classes).astype(np.float32)}
    sensitivity = 1.0
    if config.kind == "prototypes":
        if projections is None or len(projections) != len(labels):
            raise ValueError("prototypes need the projection of every sample")
        exact[PROTOTYPE] = _clipped_sum(projections, config.clip_norm, widths)
        sensitivity = math.hypot(1.0, config.clip_norm)
    stddev = config.noise_multiplier * sensitivity
    noised = add_gaussian_noise(exact, stddev=stddev, rng=rng)
    return Summary(
        kind=config.kind,
        histogram=noised[HISTOGRAM],
        prototype=noised.get(PROTOTYPE),
        noise_stddev=stddev,
    )


def _clipped_sum(projections: FloatArray, clip_norm: float, widths: tuple[int, ...]) -> FloatArray:
    """Return the sum over samples of their kinds' parts, each of norm C / sqrt(M) at most."""
    parts = np.split(projections.astype(np.float64), np.cumsum(widths, dtype=np.int64)[:-1], axis=1)
    most = clip_norm / math.sqrt(len(parts))
    sums = []
    for part in parts:
        norms = np.linalg.norm(part, axis=1, keepdims=True)
        sums.append((part * np.minimum(1.0, most / np.maximum(norms, 1e-12))).sum(axis=0))
    return np.asarray(np.concatenate(sums), np.float32)


def encode_summary(summary: Summary, *, fingerprint: int) -> bytes:
    """Return the summary's frame, made for the projection of this fingerprint."""
    arrays = {
        HISTOGRAM: summary.histogram,
        STDDEV: np.array(summary.noise_stddev, np.float32),
    }
    if summary.prototype is not None:
        arrays[PROTOTYPE] = summary.prototype
    return encode_arrays(arrays, bits=32, fingerprint=fingerprint)


def decode_summary(frame: bytes, *, fingerprint: int) -> Summary:
    """Return the summary of a frame.

    Raises:
        FrameError: anything but a frame of :func:`encode_summary` with this fingerprint.
    """
    arrays = decode_arrays(frame, fingerprint=fingerprint)
    prototype = arrays.pop(PROTOTYPE, None)
    if set(arrays) != {HISTOGRAM, STDDEV}:
        raise FrameError(f"summary frame holds {sorted(arrays)}")
    histogram, stddev = arrays[HISTOGRAM], arrays[STDDEV]
    if any(array.dtype != np.float32 for array in (histogram, stddev)) or (
        prototype is not None and prototype.dtype != np.float32
    ):
        raise FrameError("summary frame holds other numbers than float32")
    if histogram.ndim != 1 or stddev.ndim != 0 or stddev < 0:
        raise FrameError(f"summary frame has shapes {histogram.shape} and {stddev.shape}")
    if prototype is not None and prototype.ndim != 1:
        raise FrameError(f"summary frame has a prototype {prototype.shape}")
    return Summary(
        kind="histogram" if prototype is None else "prototypes",
        histogram=histogram,
        prototype=prototype,
        noise_stddev=float(stddev),
    )
