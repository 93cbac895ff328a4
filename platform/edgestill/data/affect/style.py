"""How people express emotions: what all share, what a group shares, what is a user's own.

An expression is a vector of parameters, each about -1..1, 0 at rest. That of a sample is::

    intensity * (common[emotion] + group[emotion] + own[emotion]) + moment

where group and own are drawn once for each group and user. So the same look, tone or pulse means
different emotions in different groups (display rules: Ekman & Friesen, Semiotica 1969).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.data.affect.roster import EMOTIONS, SEED, User
from edgestill.seeds import generator

Vector = NDArray[np.float64]

PARAMETERS = {
    "visual": (
        *("inner_brow", "outer_brow", "eye_opening", "mouth_curve"),
        *("mouth_width", "mouth_opening", "nose_wrinkle"),
    ),
    "audio": ("pitch", "pitch_range", "speed", "loudness"),
    "sensor": ("heart_rate", "skin", "breath_rate", "breath_depth", "movement", "tremor"),
}

# What all share, by emotion. Faces after the action units of the Facial Action Coding System
# (Ekman & Friesen 1978); voices after Scherer, Speech Communication 2003; bodies after Kreibig,
# Biological Psychology 2010. Only the directions are theirs, the sizes are ours.
COMMON = {
    "visual": np.array(
        [
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.1, -0.3, 1.0, 0.5, 0.3, 0.0],
            [0.8, -0.4, -0.5, -0.8, -0.2, 0.0, 0.0],
            [-1.0, 0.3, 0.2, -0.4, -0.2, -0.2, 0.3],
            [0.7, 0.6, 0.9, -0.2, 0.4, 0.7, 0.0],
            [-0.5, -0.4, -0.6, -0.5, 0.1, 0.1, 1.0],
        ]
    ),
    "audio": np.array(
        [
            [0.0, 0.0, 0.0, 0.0],
            [0.7, 0.8, 0.3, 0.4],
            [-0.6, -0.7, -0.8, -0.7],
            [0.1, 0.4, 0.4, 1.0],
            [1.0, -0.3, 0.8, -0.2],
            [-0.6, 0.3, -0.3, 0.2],
        ]
    ),
    "sensor": np.array(
        [
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.4, 0.3, 0.2, 0.3, 0.8, 0.0],
            [-0.5, -0.6, -0.5, 0.5, -0.7, -0.2],
            [0.9, 0.6, 0.4, 0.6, 0.4, 0.3],
            [0.8, 1.0, 0.9, -0.7, -0.3, 1.0],
            [-0.2, 0.6, -0.3, -0.6, -0.3, 0.1],
        ]
    ),
}
GROUP_SPREAD = 0.7
OWN_SPREAD = 0.18
MOMENT_SPREAD = {"visual": 0.18, "audio": 0.25, "sensor": 0.25}
LEAST_INTENSITY, MOST_INTENSITY = 0.6, 1.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """One user's way: by modality, the expression [6, parameters] of each emotion in full."""

    expressions: dict[str, Vector]


def style_of(user: User) -> Style:
    """Return the style of a user: that of their group with their own on top."""
    expressions = {}
    for kind, common in COMMON.items():
        shared = generator(SEED, f"style/group/{kind}", device=user.group)
        own = generator(SEED, f"style/own/{kind}", device=user.index)
        expressions[kind] = (
            common
            + GROUP_SPREAD * shared.standard_normal(common.shape)
            + OWN_SPREAD * own.standard_normal(common.shape)
        )
    return Style(expressions=expressions)


def moment_of(style: Style, emotion: int, sample: int) -> dict[str, Vector]:
    """Return the expression of one sample by modality: one intensity, noise in each parameter."""
    if not 0 <= emotion < len(EMOTIONS):
        raise IndexError(f"emotion {emotion}: there are 0..{len(EMOTIONS) - 1}")
    rng = generator(SEED, "moment", device=sample)
    intensity = rng.uniform(LEAST_INTENSITY, MOST_INTENSITY)
    return {
        kind: intensity * table[emotion] + MOMENT_SPREAD[kind] * rng.standard_normal(table.shape[1])
        for kind, table in style.expressions.items()
    }
