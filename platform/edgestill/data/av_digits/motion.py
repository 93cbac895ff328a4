"""The sensor modality: a synthetic six-axis inertial trace, at the wrist, of writing a digit.

Nobody wore a sensor: pen strokes drawn by hand are moved through a simple model of a hand. The
manifest marks the modality ``synthetic: true``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.data.av_digits.roster import SEED, User
from edgestill.data.av_digits.strokes import pen_path
from edgestill.seeds import generator

AXES, STEPS = 6, 48
RATE_HZ = 40.0
GRAVITY_M_PER_S2 = 9.81
# What 127 stands for, on the three axes of each sensor.
ACCELEROMETER_FULL_SCALE_M_PER_S2 = 24.0
GYROSCOPE_FULL_SCALE_RAD_PER_S = 6.0
# Far above a sensor's own noise: it stands for all else that an arm does while it writes. Set on
# the validation part, so that the trace alone is not enough.
ACCELEROMETER_NOISE_M_PER_S2 = 3.5
GYROSCOPE_NOISE_RAD_PER_S = 0.9
KNOT_JITTER = 0.14
_OVERSAMPLING = 10
_SMOOTHING_S = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """One user's way of writing."""

    size_m: float
    aspect: float
    slant: float
    duration_s: float
    tremor_m: float
    tremor_hz: float
    lever_m: float
    tilt_rad: NDArray[np.float64]


def hand_of(user: User) -> Hand:
    """Return the hand of a user: the same at each of their traces, another for each user."""
    rng = generator(SEED, "hand", device=user.index)
    return Hand(
        size_m=rng.uniform(0.035, 0.07),
        aspect=rng.uniform(0.55, 0.9),
        slant=rng.normal(0.15, 0.2),
        duration_s=rng.uniform(0.7, 1.05),
        tremor_m=rng.uniform(0.0, 3e-4),
        tremor_hz=rng.uniform(6.0, 11.0),
        lever_m=rng.uniform(0.10, 0.18),
        tilt_rad=rng.normal(0.0, (0.35, 0.35, 0.25)),
    )


def trace(user: User, digit: int, sample: int) -> NDArray[np.int8]:
    """Return one writing of the digit: [6, STEPS] int8, accelerometer x, y, z, then gyroscope.

    The accelerometer feels the second derivative of the wrist's position and gravity, in the
    wrist's frame; the gyroscope the turning of the hand that moves the pen.
    """
    hand = hand_of(user)
    rng = generator(SEED, "trace", device=sample)
    position_m = _wrist(hand, digit, rng)
    step_s = 1 / (RATE_HZ * _OVERSAMPLING)
    velocity = np.gradient(position_m, step_s, axis=0)
    force = np.gradient(velocity, step_s, axis=0) + _gravity(hand, position_m)
    turning = _turning(hand, velocity)
    frame = _rotation(hand.tilt_rad + rng.normal(0, 0.08, 3))
    force, turning = _sampled(force @ frame), _sampled(turning @ frame)
    force += rng.normal(0, ACCELEROMETER_NOISE_M_PER_S2, force.shape)
    turning += rng.normal(0, GYROSCOPE_NOISE_RAD_PER_S, turning.shape)
    shares = np.concatenate(
        [force / ACCELEROMETER_FULL_SCALE_M_PER_S2, turning / GYROSCOPE_FULL_SCALE_RAD_PER_S],
        axis=1,
    )
    codes: NDArray[np.int8] = np.clip(np.rint(127 * shares.T), -127, 127).astype(np.int8)
    return codes


def _wrist(hand: Hand, digit: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the wrist's position [t, 3] in metres: x right, y up the page, z off it."""
    time_s = np.arange(STEPS * _OVERSAMPLING) / (RATE_HZ * _OVERSAMPLING)
    duration_s = hand.duration_s * rng.uniform(0.9, 1.1)
    onset_s = rng.uniform(0.0, max(0.0, STEPS / RATE_HZ - duration_s))
    progress = np.clip((time_s - onset_s) / duration_s, 0, 1)
    pen = pen_path(digit, progress, rng.normal(0, KNOT_JITTER, (12, 2)))
    x = hand.size_m * (hand.aspect * pen[:, 0] + hand.slant * pen[:, 1])
    y = hand.size_m * pen[:, 1]
    phase = 2 * np.pi * (hand.tremor_hz * time_s + rng.uniform())
    tremor = hand.tremor_m * np.sin(phase)
    return _smoothed(np.stack([x + tremor, y + tremor, 0.15 * (x + y)], axis=1))


def _gravity(hand: Hand, position_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return gravity's reaction [t, 3]; it leans as the hand turns about the forearm."""
    force: NDArray[np.float64] = (position_m[0] - position_m) * (GRAVITY_M_PER_S2 / hand.lever_m)
    force[:, 2] = GRAVITY_M_PER_S2
    return force


def _turning(hand: Hand, velocity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return angular velocity [t, 3] in rad/s of a hand that moves the pen about the wrist."""
    across, along = velocity[:, 0] / hand.lever_m, velocity[:, 1] / hand.lever_m
    return np.stack([-along, across, 0.5 * across], axis=1)


def _rotation(angles_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation matrix [3, 3] of roll, pitch and yaw."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(angles_rad), np.sin(angles_rad)
    roll = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    pitch = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    yaw = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    return np.asarray(yaw @ pitch @ roll, np.float64)


def _smoothed(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Low-pass with a Gaussian: muscles have no sharp corners."""
    width = _SMOOTHING_S * RATE_HZ * _OVERSAMPLING
    offsets = np.arange(-int(4 * width), int(4 * width) + 1)
    kernel = np.exp(-0.5 * (offsets / width) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(path, ((len(offsets) // 2,) * 2, (0, 0)), mode="edge")
    return np.stack([np.convolve(axis, kernel, "valid") for axis in padded.T], axis=1)


def _sampled(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over each sampling interval: [t, 3] -> [STEPS, 3]."""
    return np.asarray(signal.reshape(STEPS, _OVERSAMPLING, 3).mean(axis=1), np.float64)
