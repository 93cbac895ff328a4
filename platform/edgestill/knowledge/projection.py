"""Public subspaces: what devices describe their data in, and what teacher features travel in.

Both are fitted on public samples alone, so that they say nothing about any device's data.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.knowledge.directions import leading_directions, principal_components

FloatArray = NDArray[np.float32]
Labels = NDArray[np.int64]

KIND_WIDTH = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """How a labelled sample differs from the public samples of its class, in P numbers.

    The inputs of all kinds, concatenated to F features, are mapped linearly; each kind has numbers
    of its own, and what the class explains is taken off, so that what is left is style: whose
    voice, whose hand, which light.

    Attributes:
        kinds: the order in which the kinds' flattened inputs are concatenated.
        widths: how many of the P numbers each kind has, in that order.
        features: how many of the F features.
        basis: [P, F]; a kind's rows are zero outside its features.
        centres: [K, P], the mean public sample of each class.
    """

    kinds: tuple[str, ...]
    widths: tuple[int, ...]
    features: tuple[int, ...]
    basis: FloatArray
    centres: FloatArray

    @classmethod
    def of(cls, blocks: Mapping[str, FloatArray], centres: FloatArray) -> "Projection":
        """Return the projection of kinds' blocks [p, f] and the classes' centres [K, P]."""
        rows = np.cumsum([0, *(len(block) for block in blocks.values())])
        columns = np.cumsum([0, *(block.shape[1] for block in blocks.values())])
        basis = np.zeros((rows[-1], columns[-1]), np.float32)
        for place, block in enumerate(blocks.values()):
            basis[rows[place] : rows[place + 1], columns[place] : columns[place + 1]] = block
        return cls(
            kinds=tuple(blocks),
            widths=tuple(len(block) for block in blocks.values()),
            features=tuple(block.shape[1] for block in blocks.values()),
            basis=basis,
            centres=centres,
        )

    def blocks(self) -> dict[str, FloatArray]:
        """Return each kind's part of the basis, [p, f]."""
        rows, columns = np.cumsum([0, *self.widths]), np.cumsum([0, *self.features])
        return {
            kind: self.basis[rows[i] : rows[i + 1], columns[i] : columns[i + 1]]
            for i, kind in enumerate(self.kinds)
        }

    @property
    def width(self) -> int:
        """P."""
        return len(self.basis)

    @property
    def fingerprint(self) -> int:
        """Unsigned 32-bit name of these numbers, for the frames of summaries made with them."""
        text = "/".join(map(str, self.kinds + self.widths)).encode()
        return zlib.crc32(
            self.basis.tobytes(), zlib.crc32(self.centres.tobytes(), zlib.crc32(text))
        )


def fit_projection(
    inputs: Mapping[str, FloatArray],
    labels: Labels,
    users: Labels | None = None,
    *,
    classes: int,
    width: int = KIND_WIDTH,
) -> Projection:
    """Fit a projection on public samples.

    The directions are, for each kind, those of :func:`edgestill.knowledge.directions`. Each kind is
    scaled so that the mean squared norm of its public samples is 1 / kinds: no kind weighs more
    for having more pixels (the block scaling of multiple factor analysis, Escofier & Pagès,
    Computational Statistics & Data Analysis 1994), and a whole sample has about norm 1.

    Args:
        inputs: kind to [N, *shape], N >= 2; all kinds that devices have.
        labels: [N] in 0..K - 1.
        users: [N], whose samples they are; None where that is not known.
        classes: K.
        width: numbers for each kind; fewer where a kind has fewer features.
    """
    means = [_class_means(_flat(inputs[kind]), labels, classes) for kind in inputs]
    blocks = [
        _block(_flat(inputs[kind]) - mean[labels], users, width, len(inputs))
        for kind, mean in zip(inputs, means, strict=True)
    ]
    centres = np.concatenate(
        [mean @ block.T for mean, block in zip(means, blocks, strict=True)], axis=1
    )
    return Projection.of(dict(zip(inputs, blocks, strict=True)), centres.astype(np.float32))


def project(projection: Projection, inputs: Mapping[str, FloatArray], labels: Labels) -> FloatArray:
    """Return [n, P] for inputs by kind, each [n, *shape], and their labels [n].

    Raises:
        ValueError: a kind is missing, the shapes are not those of the fit, or a label is none of
            its classes.
    """
    missing = [kind for kind in projection.kinds if kind not in inputs]
    if missing:
        raise ValueError(f"the projection needs the inputs of {', '.join(missing)}")
    features = np.concatenate([_flat(inputs[kind]) for kind in projection.kinds], axis=1)
    if features.shape[1] != projection.basis.shape[1]:
        raise ValueError(
            f"inputs have {features.shape[1]} features; the projection {projection.basis.shape[1]}"
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < len(projection.centres):
        raise ValueError(f"a label is outside 0..{len(projection.centres) - 1}")
    return np.asarray(features @ projection.basis.T - projection.centres[labels], np.float32)


def reduce_width(features: FloatArray, width: int) -> FloatArray:
    """Return [N, D] as [N, width] in the orthonormal basis of its leading principal components.

    Keeps as much of the distances between samples as ``width`` numbers can. With fewer than
    ``width`` components at hand the rest is 0.
    """
    at_hand = min(width, *features.shape)
    components, mean = principal_components(features, at_hand)
    reduced = np.zeros((len(features), width), np.float32)
    reduced[:, :at_hand] = (features - mean) @ components.T
    return reduced


def _block(residuals: FloatArray, users: Labels | None, width: int, kinds: int) -> FloatArray:
    """Return a kind's rows [p, f], scaled to its share of a sample's norm."""
    rows = leading_directions(residuals, users, min(width, *residuals.shape))
    square = float(np.square(residuals @ rows.T).sum(axis=1).mean())
    return rows / np.float32(np.sqrt(kinds * square)) if square else rows


def _class_means(features: FloatArray, labels: Labels, classes: int) -> FloatArray:
    """Return [K, F]; a class without samples has the mean of all."""
    means = np.tile(features.mean(axis=0), (classes, 1))
    for label in np.unique(labels):
        means[label] = features[labels == label].mean(axis=0)
    return means.astype(np.float32)


def _flat(array: FloatArray) -> FloatArray:
    return array.reshape(len(array), -1)
