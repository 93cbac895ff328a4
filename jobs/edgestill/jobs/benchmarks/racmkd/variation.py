"""Inputs varied anew at each step: every student of the benchmark sees the same variations."""

import torch
from torch import Generator, Tensor

NOISE = 0.1
MOST_SHIFT = 3
BAND_MASK, FRAME_MASK = 4, 5
SENSOR_GAIN, SENSOR_NOISE = 0.1, 0.15


def varied(inputs: dict[str, Tensor], generator: Generator) -> dict[str, Tensor]:
    """Return inputs by kind [B, *shape] with noise, and what can happen to each kind.

    Spectrograms are shifted in time and masked in bands and frames (Park et al., "SpecAugment",
    Interspeech 2019); sensor channels change their gain.
    """
    changed = dict(inputs)
    if "visual" in inputs:
        changed["visual"] = _noisy(inputs["visual"], NOISE, generator)
    if "audio" in inputs:
        changed["audio"] = _heard(inputs["audio"], generator)
    if "sensor" in inputs:
        sensor = inputs["sensor"]
        gain = 1 + SENSOR_GAIN * torch.randn(*sensor.shape[:2], 1, generator=generator)
        changed["sensor"] = _noisy(sensor * gain, SENSOR_NOISE, generator)
    return changed


def _heard(audio: Tensor, generator: Generator) -> Tensor:
    shift = int(torch.randint(-MOST_SHIFT, MOST_SHIFT + 1, (), generator=generator))
    bands = _mask(len(audio), audio.shape[-2], BAND_MASK, generator).unsqueeze(-1)
    frames = _mask(len(audio), audio.shape[-1], FRAME_MASK, generator).unsqueeze(-2)
    shifted = audio.roll(shift, dims=-1).masked_fill((bands | frames).unsqueeze(1), 0.0)
    return _noisy(shifted, NOISE, generator)


def _mask(samples: int, size: int, most: int, generator: Generator) -> Tensor:
    """Return [B, size], true over a run of fewer than ``most`` places of each sample."""
    first = torch.randint(0, size, (samples, 1), generator=generator)
    length = torch.randint(0, most, (samples, 1), generator=generator)
    places = torch.arange(size)
    return (places >= first) & (places < first + length)


def _noisy(values: Tensor, stddev: float, generator: Generator) -> Tensor:
    return values + stddev * torch.randn(values.shape, generator=generator)
