"""Multimodal networks: encoders per kind, late fusion of any subset, width slices, cost."""

from edgestill.models.cost import Cost, measure_cost
from edgestill.models.device import training_device, use_device
from edgestill.models.encoders import encoder
from edgestill.models.factory import Factory, load_factory
from edgestill.models.fusion import LateFusion, Output, student, teacher
from edgestill.models.pruning import prune_channels
from edgestill.models.quantization import (
    bake_weights,
    exact_activations,
    quantize_module,
    weight_bytes,
)
from edgestill.models.resolution import Compress, reduce_resolution
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
    "Compress",
    "Cost",
    "Factory",
    "LateFusion",
    "ModelFamily",
    "Output",
    "Variant",
    "arrays_of",
    "bake_weights",
    "encoder",
    "exact_activations",
    "leading_block",
    "load_arrays",
    "load_factory",
    "measure_cost",
    "prune_channels",
    "quantize_module",
    "reduce_resolution",
    "student",
    "teacher",
    "training_device",
    "use_device",
    "weight_bytes",
]
