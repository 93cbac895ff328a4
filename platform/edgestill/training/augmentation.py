"""Inputs varied anew at each step, from the device's own streams."""

from collections.abc import Mapping

import torch
from torch import Tensor

from edgestill.config import AugmentationConfig
from edgestill.training.streams import Streams


def augmented(
    inputs: Mapping[str, Tensor], augmentation: AugmentationConfig, streams: Streams
) -> dict[str, Tensor]:
    """Return inputs by kind [B, ...], shifted along the last axis, with noise added."""
    varied = dict(inputs)
    for kind, values in inputs.items():
        if augmentation.shift_cells:
            varied[kind] = _shifted(values, augmentation.shift_cells, streams)
        if augmentation.noise_stddev:
            noise = streams.normal(tuple(values.shape))
            varied[kind] = varied[kind] + augmentation.noise_stddev * noise
    return varied


def _shifted(values: Tensor, most: int, streams: Streams) -> Tensor:
    """Shift each sample by its own whole number of cells, filling up with zeros."""
    cells, middle = values.shape[-1], (1,) * (values.dim() - 2)
    draws = streams.uniform((len(values),)) * (2 * most + 1)
    shifts = draws.long().clamp(max=2 * most) - most
    source = torch.arange(cells, device=values.device) - shifts.view(-1, *middle, 1)
    inside = (source >= 0) & (source < cells)
    picked = values.gather(-1, source.clamp(0, cells - 1).expand(values.shape))
    return torch.where(inside, picked, 0.0)
