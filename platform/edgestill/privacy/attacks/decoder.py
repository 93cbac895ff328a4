"""The attacker's decoders: from what was seen to the inputs, learned from public pairs.

Shape letters: N pairs, F seen features, O input values, C channels, H height, W width.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Floats = NDArray[np.float32]
Decoder = Callable[[Floats], Floats]

RIDGES = (1e-6, 1e-3, 1e-1, 1e1)
"""Weights of the ridge, over the mean square of the seen features; the best is taken."""

HIDDEN = 256
CHANNELS = 32
FACTORS = (4, 2, 1)
"""By how much a decoder's map may be coarser than the input, cheapest first."""
BATCH = 32
LEARNING_RATE = 2e-3
MOST_FEATURES = 1024
"""More seen features are projected at random to so many before the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Public pairs: seen [N, F] or [N, C, H, W], and inputs [N, ...] in 0..1.

    What decides between decoders, ``held_seen`` and ``held_inputs``, is public as well.
    """

    seen: Floats
    inputs: Floats
    held_seen: Floats
    held_inputs: Floats

    def error(self, decode: Decoder) -> float:
        """Return a decoder's mean squared error on the pairs held out."""
        return float(np.mean(np.square(decode(self.held_seen) - self.held_inputs)))


def linear_decoder(pairs: Pairs) -> Decoder:
    """Return the best ridge regression, in its dual form where features outnumber pairs."""
    flat, targets = _flat(pairs.seen), _flat(pairs.inputs)
    mean, mean_target = flat.mean(axis=0), targets.mean(axis=0)
    centred, shape = flat - mean, pairs.inputs.shape[1:]
    dual = centred.shape[1] > len(centred)

    def decoder(weights: Floats) -> Decoder:
        def decode(seen: Floats) -> Floats:
            held = _flat(seen) - mean
            values = (held @ centred.T if dual else held) @ weights + mean_target
            return np.asarray(np.clip(values, 0.0, 1.0).reshape(-1, *shape), np.float32)

        return decode

    solved = _ridges(centred, targets - mean_target, dual=dual)
    return min((decoder(weights) for weights in solved), key=pairs.error)


def _ridges(
    centred_NF: Floats,  # noqa: N803 - shape letters
    targets_NO: Floats,  # noqa: N803
    *,
    dual: bool,
) -> Iterator[Floats]:
    """Give the weights of each ridge, [F, O] or in dual form [N, O], from one decomposition."""
    gram = (centred_NF @ centred_NF.T if dual else centred_NF.T @ centred_NF).astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    scale = max(float(np.trace(gram)) / len(gram), 1e-12)
    rotated = vectors.T @ (targets_NO if dual else centred_NF.T @ targets_NO)
    for ridge in RIDGES:
        damped = np.maximum(values, 0.0) + ridge * scale
        yield np.asarray(vectors @ (rotated / damped[:, None]), np.float32)


class _FromVectors(nn.Module):
    """A hidden layer, a coarse map, and convolutions that draw it at full size."""

    def __init__(self, features: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        coarse = _coarse(shape, FACTORS[0])
        self.body = nn.Sequential(
            nn.Linear(features, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, CHANNELS * coarse[0] * coarse[1]),
            nn.ReLU(),
            nn.Unflatten(1, (CHANNELS, *coarse)),
        )
        self.drawing = _Drawing(shape, FACTORS[0])

    def forward(self, seen: Tensor) -> Tensor:
        drawn: Tensor = self.drawing(self.body(seen))
        return drawn


class _FromMaps(nn.Module):
    """Convolutions over maps that still lie where they were in the input."""

    def __init__(self, maps: tuple[int, int, int], shape: tuple[int, int, int]) -> None:
        super().__init__()
        factor = _factor(maps, shape)
        self._coarse = _coarse(shape, factor)
        self.body = nn.Sequential(nn.Conv2d(maps[0], CHANNELS, 3, padding=1), nn.ReLU())
        self.drawing = _Drawing(shape, factor)

    def forward(self, seen: Tensor) -> Tensor:
        maps = functional.interpolate(self.body(seen), size=self._coarse)
        drawn: Tensor = self.drawing(maps)
        return drawn


class _Drawing(nn.Module):
    """Convolutions over a coarse map, then each of its cells is laid out as a block of the input.

    Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network", CVPR 2016: cheaper by the square of the factor.
    """

    def __init__(self, shape: tuple[int, int, int], factor: int) -> None:
        super().__init__()
        self._shape, self._factor = shape, factor
        self.body = nn.Sequential(
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(CHANNELS, shape[0] * factor**2, 3, padding=1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        drawn = functional.pixel_shuffle(self.body(maps), self._factor)
        return drawn[..., : self._shape[1], : self._shape[2]]


def _factor(maps: tuple[int, int, int], shape: tuple[int, int, int]) -> int:
    """Return the cheapest factor that keeps every cell of the maps, 1 where none does."""
    sizes = {factor: _coarse(shape, factor) for factor in FACTORS}
    fitting = [f for f, (high, wide) in sizes.items() if high >= maps[1] and wide >= maps[2]]
    return fitting[0] if fitting else FACTORS[-1]


def _coarse(shape: tuple[int, int, int], factor: int) -> tuple[int, int]:
    return -(-shape[1] // factor), -(-shape[2] // factor)


class _Network(nn.Module):
    """What the linear decoder gives, and a learned correction that begins at zero."""

    def __init__(self, correction: nn.Module) -> None:
        super().__init__()
        self.correction = correction
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, seen: Tensor, linear: Tensor) -> Tensor:
        corrected: Tensor = linear + self.share * self.correction(seen)
        return corrected


def network_decoder(pairs: Pairs, linear: Decoder, *, seed: int, epochs: int) -> Decoder:
    """Return a convolutional decoder, on top of the linear one, at its best epoch.

    Dosovitskiy & Brox, "Inverting visual representations with convolutional networks", CVPR 2016:
    a decoder trained by the squared error of its reconstruction.
    """
    shape = _planar(pairs.inputs.shape[1:])
    prepare = _preparation(pairs.seen, seed)
    seen = prepare(pairs.seen)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        correction: nn.Module = (
            _FromMaps(_planar(tuple(seen.shape[1:])), shape)
            if seen.ndim == 4
            else _FromVectors(seen.shape[1], shape)
        )
        network = _Network(correction)

    def decode(given: Floats) -> Floats:
        with torch.inference_mode():
            parts = [
                network(prepare(part), _planes(linear(part), shape))
                for part in np.array_split(given, max(1, len(given) // 256))
            ]
        values = torch.cat(parts).clamp(0.0, 1.0).numpy()
        return np.asarray(values.reshape(len(given), *pairs.inputs.shape[1:]), np.float32)

    targets, first = _planes(pairs.inputs, shape), _planes(linear(pairs.seen), shape)
    best, kept = pairs.error(decode), _state(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    order = np.random.default_rng(seed)
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))
        for rows in np.array_split(order.permutation(len(seen)), max(1, len(seen) // BATCH)):
            picked = torch.from_numpy(rows)
            loss = functional.mse_loss(network(seen[picked], first[picked]), targets[picked])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if (error := pairs.error(decode)) < best:
            best, kept = error, _state(network)
    network.load_state_dict(kept)
    return decode


def _preparation(seen: Floats, seed: int) -> Callable[[Floats], Tensor]:
    """Return what standardises seen features, and projects them where they are too many."""
    axes = (0, 2, 3) if seen.ndim == 4 else (0,)
    given = seen if seen.ndim == 4 else _flat(seen)
    mean, spread = given.mean(axis=axes, keepdims=True), given.std(axis=axes, keepdims=True)
    spread = np.where(spread > 1e-6, spread, 1.0)
    features = given.shape[1]
    project = None
    if given.ndim == 2 and features > MOST_FEATURES:
        rng = np.random.default_rng(seed)
        project = rng.standard_normal((features, MOST_FEATURES), dtype=np.float32)
        project /= np.float32(math.sqrt(features))

    def prepare(values: Floats) -> Tensor:
        held = values if values.ndim == 4 else _flat(values)
        scaled = ((held - mean) / spread).astype(np.float32)
        return torch.from_numpy(scaled if project is None else scaled @ project)

    return prepare


def _planar(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return (C, H, W); a series (C, T) is C planes of height 1."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


def _planes(values: Floats, shape: tuple[int, int, int]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).reshape(-1, *shape)


def _state(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def _flat(values: Floats) -> Floats:
    return np.asarray(values, np.float32).reshape(len(values), -1)
