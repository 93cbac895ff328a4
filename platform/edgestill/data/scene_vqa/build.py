"""Build the committed artefact: ``python -m edgestill.data.scene_vqa.build --out FILE``.

The artefact is a zip (LZMA) of a manifest folder without the pictures, which are rendered from the
photographs of :mod:`edgestill.data.composites`; of them it has the SHA-256. Beside FILE its own is
written.
"""

from pathlib import Path
from typing import Any

import numpy as np

from edgestill.data.arrays import npy_bytes
from edgestill.data.building import (
    checksum_line,
    modality_entries,
    run_build,
    write_artefact,
    yaml_bytes,
)
from edgestill.data.composites.build import PROVENANCE
from edgestill.data.scene_vqa import backgrounds, questions, scenes


def build(out: Path) -> str:
    """Write the artefact to ``out`` and its SHA-256, which is returned, to ``out``.sha256.

    Raises:
        DataError: the cache cannot be written.
        OSError: ``out`` cannot be written.
    """
    every = list(scenes.scenes())
    pictures = scenes.render(every)
    splits = scenes.ranges()
    tree = {
        "name": "scene_vqa",
        "classes": len(questions.COLOURS) + 1,
        "modalities": modality_entries({"visual": pictures}, splits["public"]),
        "labels": "labels.npy",
        "splits": splits,
        "provenance": _provenance(),
    }
    objects = np.stack([scene.objects for scene in every])
    members = {
        "manifest.yaml": yaml_bytes(tree),
        "labels.npy": npy_bytes(objects[:, :, 0].sum(1, dtype=np.uint8)),
        "objects.npy": npy_bytes(objects),
        "questions.npy": npy_bytes(np.stack([scene.questions for scene in every])),
        "answers.npy": npy_bytes(np.stack([scene.answers for scene in every])),
        "visual.sha256": checksum_line(pictures, "visual.npy"),
    }
    return write_artefact(out, members)


def _provenance() -> dict[str, Any]:
    return {
        "photographs": PROVENANCE["photographs"],
        "objects": "SYNTHETIC: squares and circles of equal area, blended over the photographs",
        "questions": "SYNTHETIC, as in Sort-of-CLEVR (Santoro et al., NeurIPS 2017)",
        "labels": "the number of circles",
        "opacity": scenes.OPACITY / 256,
        "margin_pixels": questions.MARGIN_PIXELS,
        "least_detail_levels": backgrounds.LEAST_DETAIL,
        "scenes": dict(scenes.SCENES),
    }


if __name__ == "__main__":
    run_build(build, __doc__)
