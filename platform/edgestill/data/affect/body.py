"""The sensor modality: synthetic signals of a body. Nobody wore a sensor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.data.affect.roster import SEED, User
from edgestill.data.affect.style import Vector
from edgestill.seeds import generator

STEPS, RATE_HZ = 48, 4.0
CHANNELS = ("heart_rate_bpm", "skin_conductance_us", "breath", "movement_m_per_s2")
CENTRE = np.array([85.0, 6.0, 0.0, 0.8])
FULL_SCALE = np.array([60.0, 8.0, 2.5, 1.6])
"""Code 127 is this far above the centre; the breath has the unit of a mean breath's depth."""
NOISE_STDDEV = np.array([4.0, 0.35, 0.25, 0.2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """A body at rest."""

    heart_rate_bpm: float
    skin_conductance_us: float
    breath_rate_hz: float
    breath_depth: float
    movement_m_per_s2: float
    sinus_arrhythmia_bpm: float


def rest_of(user: User) -> Rest:
    """Return a user's body at rest, near that of their group."""
    shared = generator(SEED, "rest/group", device=user.group)
    rng = generator(SEED, "rest/own", device=user.index)
    return Rest(
        heart_rate_bpm=shared.uniform(62, 92) + rng.normal(0, 4),
        skin_conductance_us=max(1.5, shared.uniform(3, 8) + rng.normal(0, 0.6)),
        breath_rate_hz=rng.uniform(0.22, 0.3),
        breath_depth=rng.uniform(0.8, 1.2),
        movement_m_per_s2=max(0.15, shared.uniform(0.3, 0.9) + rng.normal(0, 0.08)),
        sinus_arrhythmia_bpm=rng.uniform(2, 6),
    )


def signals(rest: Rest, expression: Vector, sample: int) -> NDArray[np.int8]:
    """Return 12 s of :data:`CHANNELS`: [4, STEPS] int8.

    The heart beats faster while breathing in (respiratory sinus arrhythmia); the skin answers in
    bursts that rise within a second and fade over some (Boucsein, Electrodermal Activity, 2012).
    """
    rng = generator(SEED, "signals", device=sample)
    pulse, sweat, haste, depth, movement, tremor = expression
    time_s = np.arange(STEPS) / RATE_HZ
    phase = 2 * np.pi * (rest.breath_rate_hz * 1.4**haste * time_s + rng.uniform())
    breath = rest.breath_depth * 1.6**depth * np.sin(phase)
    heart = rest.heart_rate_bpm + 13 * pulse + rest.sinus_arrhythmia_bpm * np.sin(phase)
    skin = rest.skin_conductance_us * (1 + 0.15 * sweat) + _bursts(sweat, time_s, rng)
    shaking = max(0.0, 0.3 * tremor) * rng.standard_normal(STEPS)
    sway = rest.movement_m_per_s2 * 1.9**movement
    moved = np.abs(sway * (1 + 0.5 * _slow(rng)) + shaking)
    values = np.stack([heart, skin, breath, moved])
    values += NOISE_STDDEV[:, None] * rng.standard_normal(values.shape)
    codes = np.clip(np.rint(127 * (values - CENTRE[:, None]) / FULL_SCALE[:, None]), -127, 127)
    return np.asarray(codes, np.int8)


def _bursts(
    sweat: float, time_s: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the skin's bursts: the more often and the higher, the more it sweats."""
    level = np.zeros(len(time_s))
    for _ in range(int(rng.poisson(1.5 * 2 ** float(np.clip(sweat, -2, 2))))):
        since_s = np.maximum(time_s - rng.uniform(-4, time_s[-1]), 0)
        height = 0.7 * 1.5**sweat * rng.uniform(0.6, 1.4)
        level += height * 2 * (np.exp(-since_s / 4) - np.exp(-since_s / 0.7))
    return level


def _slow(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return noise of about unit variance that changes over a second."""
    smooth = np.convolve(rng.standard_normal(STEPS + 3), np.full(4, 0.5), "valid")
    return np.asarray(smooth, np.float64)
