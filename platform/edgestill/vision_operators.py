"""Let torchvision, which CompressAI imports, be imported beside a torch of another build.

A CPU build of torch does not load the compiled extension of a torchvision built for another, and
``import torchvision`` then fails on operators that were never declared. Nothing here calls them.
"""

import ctypes
import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
# Declarations live as long as their library.
_LIBRARIES: list[torch.library.Library] = []


def declare_vision_operators() -> None:
    """Declare torchvision's operators where its compiled extension does not load; else nothing."""
    if _LIBRARIES or _extension_loads():
        return
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _LIBRARIES.append(library)


def _extension_loads() -> bool:
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return False
    extensions = sorted(Path(found.origin).parent.glob("_C*.so"))
    try:
        for extension in extensions:
            ctypes.CDLL(str(extension))
    except OSError:
        return False
    return bool(extensions)
