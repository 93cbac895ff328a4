"""A student as a file that a device runs without torch: written, checked, measured."""

from edgestill.models.deploy.agreement import TOLERANCE, Agreement, compare, run_onnx
from edgestill.models.deploy.int8 import quantise_onnx
from edgestill.models.deploy.measure import Footing, measure_footing
from edgestill.models.deploy.onnx_file import OUTPUT, finish, write_onnx

__all__ = [
    "OUTPUT",
    "TOLERANCE",
    "Agreement",
    "Footing",
    "compare",
    "finish",
    "measure_footing",
    "quantise_onnx",
    "run_onnx",
    "write_onnx",
]
