"""Compression of what a model is given, modality by modality: stages with a rate and a cost."""

from edgestill.codec.modality.audio import (
    SpectralSparsity,
    StrongestBands,
    TemporalMerging,
    TemporalSpectral,
    fit_bands,
)
from edgestill.codec.modality.choice import stages_of
from edgestill.codec.modality.resolution import Resolution
from edgestill.codec.modality.sensor import Components, WindowStatistics, fit_components
from edgestill.codec.modality.stage import Stage, Stages

__all__ = [
    "Components",
    "Resolution",
    "SpectralSparsity",
    "Stage",
    "Stages",
    "StrongestBands",
    "TemporalMerging",
    "TemporalSpectral",
    "WindowStatistics",
    "fit_bands",
    "fit_components",
    "stages_of",
]
