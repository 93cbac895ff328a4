"""Pictures as image codecs send them, compressed once for all seeds and kept in a folder.

Of each part, form, quality and side: the restored pixels, memory-mapped, and the files' sizes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgestill.inference.split.scenes import Part, part
from edgestill.jobs.benchmarks.tofc.pictures import compressed, restored
from edgestill.jobs.benchmarks.tofc.plan import Amount, Coding, ImageCoding


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The first ``count`` pictures of a split, to be compressed alike."""

    split: str
    count: int
    coding: ImageCoding
    folder: Path

    @property
    def stem(self) -> Path:
        """What the files are called that keep it; tuning changes nothing of what is sent."""
        coding = self.coding
        form = coding.form.replace(" ", "-").replace(":", "")
        name = f"sent-{self.split}{self.count}-{form}-{coding.quality}-{coding.side}"
        return self.folder / name


def sendings(amount: Amount, folder: Path) -> list[Sending]:
    """Return all that the plan sends as pictures, each once, the most pictures first."""
    found: dict[Path, Sending] = {}
    for coding in amount.codings:
        for split, count in _counts(amount, coding):
            if isinstance(coding, ImageCoding):
                one = Sending(split=split, count=count, coding=coding, folder=folder)
                found.setdefault(one.stem, one)
    return sorted(found.values(), key=lambda one: -one.count)


def send(sending: Sending) -> None:
    """Compress the pictures, restore them, and keep pixels and sizes."""
    pixels = part(sending.split, sending.count).pictures.pixels
    files = [compressed(image, sending.coding) for image in pixels]
    np.save(_pixels(sending), np.stack([restored(content) for content in files]))
    np.save(_sizes(sending), np.array([len(content) for content in files]))


def sent(sending: Sending) -> tuple[Part, NDArray[np.int64]]:
    """Return a part as the server sees it, and the bytes of each picture, as :func:`send` kept."""
    scenes = part(sending.split, sending.count)
    # Copy-on-write, since torch takes no array that is read-only.
    pixels = np.load(_pixels(sending), mmap_mode="c")
    pictures = replace(scenes.pictures, pixels=pixels)
    return replace(scenes, pictures=pictures), np.load(_sizes(sending))


def _counts(amount: Amount, coding: Coding) -> Sequence[tuple[str, int]]:
    scored = (("validation", amount.validated), ("test", amount.tested))
    tuned = isinstance(coding, ImageCoding) and coding.tuned
    return (("public", amount.tuned_scenes), *scored) if tuned else scored


def _pixels(sending: Sending) -> Path:
    return sending.stem.with_suffix(".pixels.npy")


def _sizes(sending: Sending) -> Path:
    return sending.stem.with_suffix(".sizes.npy")
