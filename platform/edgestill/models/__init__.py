"""Multimodal networks: encoders per kind, late fusion of any subset, width slices, cost."""

from edgestill.models.cost import Cost, measure_cost
from edgestill.models.device import training_device, use_device
from edgestill.models.encoders import encoder
from edgestill.models.factory import Factory, load_factory
from edgestill.models.fusion import LateFusion, Output, student, teacher
from edgestill.models.resolution import reduce_resolution
from edgestill.models.variant import (
    Arrays,
    ModelFamily,
    Variant,
    arrays_of,
    leading_block,
    load_arrays,
)

__all__ = [
    "Arrays",
    "Cost",
    "Factory",
    "LateFusion",
    "ModelFamily",
    "Output",
    "Variant",
    "arrays_of",
    "encoder",
    "leading_block",
    "load_arrays",
    "load_factory",
    "measure_cost",
    "reduce_resolution",
    "student",
    "teacher",
    "training_device",
    "use_device",
]
