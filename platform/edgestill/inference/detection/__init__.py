"""Detection at the edge and in the cloud: small detectors, their task, and what is right."""

from edgestill.inference.detection.average_precision import (
    Matched,
    matched,
    mean_average_precision,
    rightness,
)
from edgestill.inference.detection.decode import Found, found_boxes
from edgestill.inference.detection.networks import CloudDetector, EdgeDetector
from edgestill.inference.detection.targets import padded_objects, unpadded_objects
from edgestill.inference.detection.task import Detection

__all__ = [
    "CloudDetector",
    "Detection",
    "EdgeDetector",
    "Found",
    "Matched",
    "found_boxes",
    "matched",
    "mean_average_precision",
    "padded_objects",
    "rightness",
    "unpadded_objects",
]
