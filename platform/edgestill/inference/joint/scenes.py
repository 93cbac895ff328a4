"""Detection as a family of joint models: digits to be found in square pictures."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgestill.data.detection import DetectionSet
from edgestill.inference.detection import CloudDetector, Detection, EdgeDetector, padded_objects
from edgestill.inference.joint.family import OfPictures
from edgestill.inference.joint.inputs import Input
from edgestill.inference.joint.samples import Samples

_FOG_CHANNELS, _FOG_BLOCKS = (16, 32, 48), 2
_SCALE, _OFFSET = 4.0 / 255.0, -2.0
"""Of pixels, so that networks see about -2..2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneFamily(OfPictures):
    """Detection in square pictures."""

    KIND: ClassVar[str] = "scenes"

    @property
    def task(self) -> Detection:
        """Boxes of K classes."""
        return Detection(classes=self.classes, side_pixels=self.picture.shape[-1])

    def edge(self) -> EdgeDetector:
        """Return a detector of separable convolutions."""
        return EdgeDetector(self.classes, side_pixels=self.picture.shape[-1])

    def cloud(self) -> CloudDetector:
        """Return a residual detector."""
        return CloudDetector(self.classes)

    def fog(self) -> CloudDetector:
        """Return a residual detector of about half the width."""
        return CloudDetector(self.classes, channels=_FOG_CHANNELS, blocks=_FOG_BLOCKS)


def scene_family(scenes: DetectionSet) -> SceneFamily:
    """Return the family for a set's pictures and classes."""
    shape = tuple(scenes.images.shape[1:])
    picture = Input(shape=shape, dtype="|u1", scale=_SCALE, offset=_OFFSET)
    return SceneFamily(picture=picture, classes=scenes.classes)


def scene_samples(scenes: DetectionSet, split: str) -> Samples:
    """Return a split of a detection set."""
    rows = np.asarray(scenes.splits[split], np.int64)
    return Samples(
        inputs=scene_family(scenes).inputs,
        arrays={"visual": scenes.images},
        rows=rows,
        targets_n=padded_objects([scenes.objects(int(row)) for row in rows]),
        watched_n=np.ones(len(rows), np.bool_),
    )
