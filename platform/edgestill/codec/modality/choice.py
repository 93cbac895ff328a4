"""From the configured names to stages."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgestill.codec.modality.audio import (
    SpectralSparsity,
    TemporalMerging,
    TemporalSpectral,
    fit_bands,
)
from edgestill.codec.modality.resolution import Resolution
from edgestill.codec.modality.sensor import WindowStatistics, fit_components
from edgestill.codec.modality.stage import Stage, Stages
from edgestill.config import StagesConfig

Public = Callable[[str], NDArray[np.float32]]


def stages_of(config: StagesConfig, public: Public) -> Stages:
    """Return the configured stages.

    Args:
        config: names by kind.
        public: gives the public part's inputs of a kind, [N, *shape]; asked only for kinds that
            there are, and only where a stage is fitted on them.
    """
    return Stages(
        {
            "visual": Resolution(2),
            "audio": _audio(config.audio, public),
            "sensor": _sensor(config.sensor, public),
        }
    )


def _audio(name: str, public: Public) -> Stage:
    if name == "bands":
        return fit_bands(public("audio"))
    plain: dict[str, Stage] = {
        "resolution": Resolution(1),
        "spectral": SpectralSparsity(),
        "temporal": TemporalMerging(),
        "temporal_spectral": TemporalSpectral(),
    }
    return plain[name]


def _sensor(name: str, public: Public) -> Stage:
    if name == "components":
        return fit_components(public("sensor"))
    return WindowStatistics() if name == "statistics" else Resolution(1)
