"""What an update tells of the samples that it was computed from.

Shape letters: N samples, P parameters, I inputs and O outputs of a layer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SMALLEST_NORM = 1e-12

LEAST_RIDGE = 1e-6
"""Of a regression, over the mean square of a gradient: two equal gradients share evenly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerInput:
    """What the gradient of a linear layer gives away.

    Attributes:
        values: [I], the layer's input; of a batch, a mean of its inputs with unknown weights.
        output: the output, 0..O-1, whose gradient it was read from.
    """

    values: Floats
    output: int


def update_scores(update_P: Floats, gradients_NP: Floats) -> Floats:  # noqa: N803 - shape letters
    """Return [N] membership scores in -1..1: the cosine of the update with minus each gradient.

    In a model with many parameters the gradients of different samples are nearly orthogonal, so
    that only those which were summed into an update point its way. Li, Li & Ribeiro, "Effective
    passive membership inference attacks in federated learning against overparameterized models",
    ICLR 2023.

    Args:
        update_P: what a device sent: its parameters less those that it began from, flattened.
        gradients_NP: each candidate's gradient at the parameters that the device began from.

    Raises:
        ValueError: the numbers of parameters differ, or a value is not finite.
    """
    _check(update_P, gradients_NP)
    norms = np.linalg.norm(gradients_NP, axis=1) * np.linalg.norm(update_P)
    products = -(gradients_NP @ update_P)
    return np.asarray(products / np.maximum(norms, SMALLEST_NORM), np.float32)


def regressed_update_scores(
    update_P: Floats,  # noqa: N803 - shape letters
    gradients_NP: Floats,  # noqa: N803
    *,
    noise_stddev: float = 0.0,
) -> Floats:
    """Return [N] membership scores: how much of each gradient the update is taken to hold.

    Stronger than :func:`update_scores` and knowing more: the members must be among the candidates,
    as among the public samples that a device was sent, or in a bound on what an update can reveal.
    The update is regressed on all their gradients at once, so that what they share counts once.
    Ridge regression (Hoerl & Kennard, Technometrics 1970), its weight the noise over the signal:
    the mean of the posterior under a Gaussian prior of the shares.

    Args:
        update_P: as for :func:`update_scores`.
        gradients_NP: of all candidates, members or not.
        noise_stddev: of the Gaussian noise in each number of the update, which is public.

    Raises:
        ValueError: as :func:`update_scores`, or the noise is negative.
    """
    _check(update_P, gradients_NP)
    if not noise_stddev >= 0:
        raise ValueError(f"noise_stddev is {noise_stddev}; expected a number of at least 0")
    gram = gradients_NP.astype(np.float64) @ gradients_NP.T
    whole = float(np.square(update_P, dtype=np.float64).sum())
    signal = max(whole - len(update_P) * noise_stddev**2, 1e-2 * whole)
    mean_square = max(float(np.trace(gram)) / len(gram), SMALLEST_NORM)
    prior = max(signal, SMALLEST_NORM) / (mean_square * len(gram))
    ridge = noise_stddev**2 / prior + LEAST_RIDGE * mean_square
    products = -(gradients_NP.astype(np.float64) @ update_P)
    shares = np.linalg.solve(gram + ridge * np.eye(len(gram)), products)
    return np.asarray(shares, np.float32)


def _check(update_P: Floats, gradients_NP: Floats) -> None:  # noqa: N803 - shape letters
    if gradients_NP.ndim != 2 or update_P.shape != gradients_NP.shape[1:]:
        raise ValueError(
            f"update {update_P.shape}, gradients {gradients_NP.shape}: expected [P] and [N, P]"
        )
    if not (np.isfinite(update_P).all() and np.isfinite(gradients_NP).all()):
        raise ValueError("the update or a gradient contains NaN or infinity")


def read_layer_input(
    weight_gradient_OI: Floats,  # noqa: N803 - shape letters
    bias_gradient_O: Floats,  # noqa: N803
) -> LayerInput:
    """Read a linear layer's input from its gradient, exactly if the batch was one sample.

    Each row of the weight's gradient is the input times the same number of the bias's gradient; the
    row where that is largest is divided by it. Phong et al., "Privacy-preserving deep learning via
    additively homomorphic encryption", IEEE TIFS 2018, section III; Geiping et al., "Inverting
    gradients", NeurIPS 2020, proposition 3.1. An update of one SGD step is a gradient times a
    number, which cancels.

    Raises:
        ValueError: shapes do not fit, a value is not finite, or the bias's gradient is zero.
    """
    if weight_gradient_OI.ndim != 2 or bias_gradient_O.shape != weight_gradient_OI.shape[:1]:
        raise ValueError(
            f"weight {weight_gradient_OI.shape}, bias {bias_gradient_O.shape}: expected [O, I], [O]"
        )
    if not (np.isfinite(weight_gradient_OI).all() and np.isfinite(bias_gradient_O).all()):
        raise ValueError("a gradient contains NaN or infinity")
    output = int(np.abs(bias_gradient_O).argmax())
    if abs(float(bias_gradient_O[output])) < SMALLEST_NORM:
        raise ValueError("the bias's gradient is zero: nothing was learned from")
    values = weight_gradient_OI[output] / bias_gradient_O[output]
    return LayerInput(values=np.asarray(values, np.float32), output=output)
