"""The model that every side holds: the cloud half of a joint model of ``photo_digits``.

It is trained for moments only: what it costs is measured here, not what it knows.
"""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgestill.config import DataConfig
from edgestill.config.joint import AdaptationConfig, JointConfig
from edgestill.data import load_dataset
from edgestill.inference.joint import (
    PictureFamily,
    Samples,
    classified_samples,
    load_edge,
    save_joint,
)
from edgestill.inference.joint.training import Sets, train_joint
from edgestill.jobs.benchmarks.serving.held import FRAMES, INPUTS, KIND, inputs_of

DATA = "photo_digits"
SEED = 7
VALIDATION, TESTED = 128, 256
"""Pictures of these splits that are looked at."""


def prepare(folder: Path, *, samples: int, epochs: float) -> None:
    """Write a joint model into a folder, and beside it inputs to ask about.

    Args:
        folder: made if it is not there.
        samples: pictures that are learned from.
        epochs: of each part.
    """
    dataset = load_dataset(DataConfig(name=DATA))
    public = _first(classified_samples(dataset, "public", (KIND,)), samples)
    validation = _first(classified_samples(dataset, "validation", (KIND,)), VALIDATION)
    family = PictureFamily(picture=public.inputs[KIND], classes=dataset.classes)
    config = JointConfig(
        seed=SEED,
        cloud_epochs=epochs,
        fog_epochs=0.0,
        edge_epochs=epochs,
        adaptation=AdaptationConfig(epochs=epochs),
    )
    model = train_joint(family, Sets(public=public, validation=validation), config, lambda _: None)
    save_joint(folder, model, {})
    tested = _first(classified_samples(dataset, "test", (KIND,)), TESTED)
    np.save(folder / INPUTS, tested.raw(slice(None))[KIND])


def write_frames(folder: Path) -> Path:
    """Code the inputs at every rate, and return the file that :func:`held.read_frames` reads."""
    half = load_edge(folder).half
    looked = [half.look(one).features for one in inputs_of(folder)]
    frames = [
        [base64.b64encode(half.encode(one, rate)).decode() for one in looked]
        for rate in range(len(half.bytes_by_rate))
    ]
    path = folder / FRAMES
    path.write_text(json.dumps(frames), encoding="utf-8")
    return path


def _first(samples: Samples, count: int) -> Samples:
    kept: dict[str, Any] = {
        name: getattr(samples, name)[:count] for name in ("rows", "targets_n", "watched_n")
    }
    return replace(samples, **kept)
