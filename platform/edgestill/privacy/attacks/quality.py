"""How near a reconstruction is to what it reconstructs: PSNR and SSIM.

Shape letters: N samples, C channels, H height, W width, T time.
"""

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_msssim import ssim
from torch import Tensor

Floats = NDArray[np.float32]

BEST_PSNR_DB = 100.0
"""Of a perfect reconstruction, which has no finite ratio: a mean squared error of 1e-10."""

SSIM_WINDOW = 11
"""Cells of the Gaussian window; of smaller inputs the largest odd number that fits."""


def mean_psnr_db(reconstructions: Floats, inputs: Floats, *, span: float) -> float:
    """Return the mean over samples of 10 log10(span^2 / mean squared error), at most 100 dB.

    Args:
        reconstructions: [N, ...].
        inputs: [N, ...], the truth.
        span: largest possible value less the smallest.

    Raises:
        ValueError: the shapes differ, there is no sample, or span is not positive.
    """
    _check(reconstructions, inputs, span)
    errors = (reconstructions.astype(np.float64) - inputs) / span
    squares = np.square(errors).reshape(len(inputs), -1).mean(axis=1)
    return float(np.mean(-10.0 * np.log10(np.maximum(squares, 10 ** (-BEST_PSNR_DB / 10)))))


def mean_ssim(reconstructions: Floats, inputs: Floats, *, span: float) -> float:
    """Return the mean structural similarity, -1 to 1 (1: the same).

    Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", IEEE TIP 2004, equation 13, by ``pytorch_msssim``. Series [N, C, T] are compared
    along time only, images and spectrograms [N, C, H, W] along both axes.

    Raises:
        ValueError: as :func:`mean_psnr_db`, or the inputs are neither of three nor of four axes.
    """
    _check(reconstructions, inputs, span)
    window = _window(inputs.shape)
    with warnings.catch_warnings():
        # It warns of the short axis that a series gets, and leaves it out, as it should.
        warnings.simplefilter("ignore")
        value: Tensor = ssim(
            _as_images(reconstructions), _as_images(inputs), data_range=span, win_size=window
        )
    return float(value)


def _check(reconstructions: Floats, inputs: Floats, span: float) -> None:
    if reconstructions.shape != inputs.shape or not len(inputs):
        raise ValueError(
            f"reconstructions {reconstructions.shape} of inputs {inputs.shape}: expected equal "
            "shapes and at least one sample"
        )
    if not span > 0:
        raise ValueError(f"span is {span}; expected a positive number")


def _window(shape: tuple[int, ...]) -> int:
    if len(shape) not in (3, 4):
        raise ValueError(f"inputs of shape {shape}: expected [N, C, T] or [N, C, H, W]")
    shortest = min(SSIM_WINDOW, *shape[2:])
    return shortest if shortest % 2 else shortest - 1


def _as_images(values: Floats) -> Tensor:
    """Return [N, C, H, W]; a series becomes an image of two equal rows."""
    tensor = torch.from_numpy(np.ascontiguousarray(values, np.float32))
    return tensor.unsqueeze(2).repeat(1, 1, 2, 1) if tensor.ndim == 3 else tensor
