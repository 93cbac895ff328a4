"""Build the committed artefact: ``python -m edgestill.data.scene_vqa.build --out FILE``.

The artefact is a zip (LZMA) of a manifest folder without the pictures, which are rendered from the
photographs of :mod:`edgestill.data.composites`; of them it has the SHA-256. Beside FILE its own is
written.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from edgestill.data.arrays import npy_bytes
from edgestill.data.building import modality_entries, write_artefact
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
    public = (splits["public"][0], splits["public"][1])
    tree = {
        "name": "scene_vqa",
        "classes": len(questions.COLOURS) + 1,
        "modalities": modality_entries({"visual": pictures}, public),
        "labels": "labels.npy",
        "splits": splits,
        "provenance": _provenance(),
    }
    objects = np.stack([scene.objects for scene in every])
    checksum = hashlib.sha256(npy_bytes(pictures)).hexdigest()
    members = {
        "manifest.yaml": yaml.safe_dump(tree, sort_keys=False).encode(),
        "labels.npy": npy_bytes(objects[:, :, 0].sum(1, dtype=np.uint8)),
        "objects.npy": npy_bytes(objects),
        "questions.npy": npy_bytes(np.stack([scene.questions for scene in every])),
        "answers.npy": npy_bytes(np.stack([scene.answers for scene in every])),
        "visual.sha256": f"{checksum}  visual.npy\n".encode(),
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


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="the zip to write")
    out: Path = parser.parse_args().out
    print(f"{build(out)}  {out}  {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
