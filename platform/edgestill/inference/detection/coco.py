"""Mean average precision by pycocotools, the reference of COCO's definition."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from edgestill.data.detection import Objects
from edgestill.inference.detection.decode import Found


def coco_mean_average_precision(
    found: Sequence[Found], objects: Sequence[Objects], classes: int
) -> float:
    """Return mAP@[.5:.95] over all pictures, 0..1; 0 where there are no objects.

    Args:
        found: of each picture.
        objects: of the same pictures.
        classes: K.
    """
    # What pycocotools prints is progress, and our standard output is a table.
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": picture} for picture in range(len(objects))],
            "categories": [{"id": label} for label in range(classes)],
            "annotations": _annotations(objects),
        }
        truth.createIndex()
        answers = truth.loadRes(rows) if (rows := _results(found)) else COCO()
        if not rows:
            return 0.0
        evaluation = COCOeval(truth, answers, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return max(0.0, float(evaluation.stats[0]))


def _annotations(objects: Sequence[Objects]) -> list[dict[str, Any]]:
    rows = [
        (picture, box, int(label), int(crowd))
        for picture, one in enumerate(objects)
        for box, label, crowd in zip(one.boxes, one.labels, one.crowd, strict=True)
    ]
    # An annotation's id 0 would read as unmatched.
    return [
        {
            "id": number,
            "image_id": picture,
            "category_id": label,
            "bbox": _xywh(box),
            "area": float((box[2] - box[0]) * (box[3] - box[1])),
            "iscrowd": crowd,
        }
        for number, (picture, box, label, crowd) in enumerate(rows, 1)
    ]


def _results(found: Sequence[Found]) -> list[dict[str, Any]]:
    return [
        {
            "image_id": picture,
            "category_id": int(label),
            "bbox": _xywh(box),
            "score": float(score),
        }
        for picture, one in enumerate(found)
        for box, label, score in zip(one.boxes, one.labels, one.scores, strict=True)
    ]


def _xywh(box: Any) -> list[float]:
    left, top, right, bottom = (float(value) for value in box)
    return [left, top, right - left, bottom - top]
