"""What the worker processes do: a task's models under one seed, trained, measured and judged."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgestill.config import DataConfig
from edgestill.config.joint import AdaptationConfig, DistillationConfig, JointConfig
from edgestill.data import load_dataset
from edgestill.data.digit_scenes import load_digit_scenes
from edgestill.inference.joint import (
    Family,
    PictureFamily,
    Samples,
    classified_samples,
    save_joint,
)
from edgestill.inference.joint.scenes import scene_family, scene_samples
from edgestill.inference.joint.training import Sets, train_joint
from edgestill.jobs.benchmarks.eccentric.findings import Finding, analysed
from edgestill.jobs.benchmarks.eccentric.measuring import measured
from edgestill.jobs.benchmarks.eccentric.plan import DETECTION, Amount, Length

SPLITS = ("public", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """A task under a seed, and the folder in which its model is left."""

    task: str
    seed: int
    amount: Amount
    folder: Path

    @property
    def length(self) -> Length:
        """How long its models are trained."""
        return self.amount.lengths[self.task]

    @property
    def model_folder(self) -> Path:
        """Where the trained model is left."""
        return self.folder / f"{self.task}{self.seed}"


def study(job: Study) -> Finding:
    """Train a model, leave it in the folder, and return all that is found out about it."""
    started = time.monotonic()
    family, parts = material(job)
    sets = Sets(public=parts["public"], validation=parts["validation"])
    model = train_joint(family, sets, configuration(job), lambda _: None)
    save_joint(job.model_folder, model, {})
    found = measured(job.task, job.seed, model, parts["validation"], parts["test"])
    return analysed(found, seconds=time.monotonic() - started)


def configuration(job: Study) -> JointConfig:
    """Return how the model is trained; the gate is not looked at."""
    length = job.length
    return JointConfig(
        seed=job.seed,
        data="digit_scenes" if job.task == DETECTION else "photo_digits",
        cloud_epochs=length.cloud,
        fog_epochs=0.0,
        edge_epochs=length.edge,
        distillation=DistillationConfig(feature_weight=length.features),
        adaptation=AdaptationConfig(epochs=length.adaptation, rate_weights=length.rate_weights),
    )


def material(job: Study) -> tuple[Family, Mapping[str, Samples]]:
    """Return what the model is made of, and each split, as much of it as is used."""
    most = {
        split: job.length.public if split == "public" else job.length.tested for split in SPLITS
    }
    if job.task == DETECTION:
        scenes = load_digit_scenes()
        parts = {split: scene_samples(scenes, split) for split in SPLITS}
        return scene_family(scenes), {split: thinned(parts[split], most[split]) for split in SPLITS}
    digits = load_dataset(DataConfig(name="photo_digits"))
    parts = {split: classified_samples(digits, split, ["visual"]) for split in SPLITS}
    family = PictureFamily(picture=parts["public"].inputs["visual"], classes=digits.classes)
    return family, {split: thinned(parts[split], most[split]) for split in SPLITS}


def thinned(samples: Samples, most: int) -> Samples:
    """Return at most so many samples, evenly over all: neighbours show the same digit."""
    if len(samples) <= most:
        return samples
    places = np.linspace(0, len(samples) - 1, most).astype(np.int64)
    return replace(
        samples,
        rows=samples.rows[places],
        targets_n=samples.targets_n[places],
        watched_n=samples.watched_n[places],
    )
