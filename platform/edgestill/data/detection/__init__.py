"""Pictures with boxes around what is in them: the type, and COCO's layout.

Detection is no classification: a picture has any number of objects, so its set is a type of its
own (:class:`DetectionSet`). The bundled one is :mod:`edgestill.data.digit_scenes`.
"""

from edgestill.data.detection.coco import load_coco
from edgestill.data.detection.dataset import DetectionSet, Objects, detection_digest

__all__ = ["DetectionSet", "Objects", "detection_digest", "load_coco"]
