"""Trains a model for joint inference, measures every way of answering, and writes all halves."""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgestill.config import DataConfig, JointConfig, dump
from edgestill.data import load_dataset
from edgestill.data.digit_scenes import load_digit_scenes
from edgestill.errors import ConfigurationError
from edgestill.inference.joint import (
    Classification,
    Family,
    JointModel,
    PictureFamily,
    Samples,
    classified_samples,
    save_joint,
)
from edgestill.inference.joint.scenes import scene_family, scene_samples
from edgestill.inference.joint.training import Sets, train_joint
from edgestill.inference.joint.ways import Ran, run_ways
from edgestill.inference.tradeoffs import (
    Point,
    Reference,
    cheapest,
    point,
    try_architectures,
)
from edgestill.report import versions_and_hardware

USUALLY_KEPT = 0.99
"""Of the cloud's accuracy, by architectures, where the gate wants something else."""

SAFETY = 1.0
"""Standard errors by which validation data must exceed what is to be kept."""

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """What a model is trained and measured on."""

    family: Family
    public: Samples
    validation: Samples
    test: Samples


def splits_of(config: JointConfig) -> Splits:
    """Return the data that a configuration names, and what models of it are made of.

    Raises:
        ConfigurationError: ``recall.classes`` names a class that it has not.
        DataError: it is damaged, or cannot be rendered into the cache.
    """
    if config.data == "digit_scenes":
        scenes = load_digit_scenes()
        parts = [scene_samples(scenes, split) for split in ("public", "validation", "test")]
        return Splits(
            family=scene_family(scenes), public=parts[0], validation=parts[1], test=parts[2]
        )
    dataset, watched = load_dataset(DataConfig(name=config.data)), config.recall.classes
    if any(label >= dataset.classes for label in watched):
        raise ConfigurationError(
            f"recall.classes: {list(watched)}; {config.data} has classes 0 to {dataset.classes - 1}"
        )
    parts = [
        classified_samples(dataset, split, ("visual",), watched)
        for split in ("public", "validation", "test")
    ]
    family = PictureFamily(picture=parts[0].inputs["visual"], classes=dataset.classes)
    return Splits(family=family, public=parts[0], validation=parts[1], test=parts[2])


def train_model(config: JointConfig, splits: Splits, out: Path, told: Told) -> dict[str, Any]:
    """Train, measure, write ``config.yaml``, ``joint.json`` and weights; return the report.

    Args:
        config: what is trained.
        splits: of :func:`splits_of`.
        out: an empty folder.
        told: is given a line when a stage begins.
    """
    torch.set_num_threads(1)
    (out / "config.yaml").write_text(dump(config), encoding="utf-8")
    started = time.perf_counter()
    sets = Sets(public=splits.public, validation=splits.validation)
    model = train_joint(splits.family, sets, config, told)
    training_s = time.perf_counter() - started
    told("every way of answering, on validation and test samples")
    kept = config.gate.value if config.gate.wanted == "accuracy" else USUALLY_KEPT
    report = {
        **versions_and_hardware(),
        "name": config.name,
        "seed": config.seed,
        "data": config.data,
        "training_wall_s": training_s,
        **measured(model, splits, kept=kept),
    }
    save_joint(out, model, report)
    return report


def measured(model: JointModel, splits: Splits, *, kept: float) -> dict[str, Any]:
    """Return what each way gives and costs, and the architectures, as plain values.

    Args:
        model: in evaluation mode.
        splits: choices are made on validation samples, figures are of the test samples.
        kept: share of the cloud's accuracy that the architectures are to keep, 0..1.
    """
    splits_run = {
        split: run_ways(model, getattr(splits, split)) for split in ("validation", "test")
    }
    ran = {tier: {name: one[tier] for name, one in splits_run.items()} for tier in model.heavier}
    classes = isinstance(splits.family.task, Classification)
    return {
        "metric": "accuracy" if classes else "mean_average_precision",
        "ways": {
            tier: {
                split: _ways(model, found, getattr(splits, split)) for split, found in both.items()
            }
            for tier, both in ran.items()
        },
        "gate_on_test": asdict(_gated(model, ran["cloud"]["test"], splits.test)),
        "kept": kept,
        "architectures": _architectures(model, ran["cloud"], splits, kept),
    }


def _ways(model: JointModel, ran: Ran, samples: Samples) -> list[dict[str, Any]]:
    task = model.task("edge")
    scores = ran.scores(task, samples.targets_n)
    names = [way.name for way in ran.outcomes(task, samples.targets_n).ways]
    return [
        {
            "way": name,
            "score": score,
            "bytes": float(sent.mean()),
            "edge_flops": edge,
            "cloud_flops": cloud,
        }
        for name, score, sent, edge, cloud in zip(
            names, scores, ran.bytes_sent, ran.edge_flops, ran.cloud_flops, strict=True
        )
    ]


def _gated(model: JointModel, ran: Ran, samples: Samples) -> Point:
    """Return what the model's own gate gives, handing on by features at the finest rate."""
    task = model.task("edge")
    hard = model.gate.hardness(ran.answers(task)) > model.gate.threshold
    outcomes = ran.outcomes(task, samples.targets_n)
    return point("gate", outcomes, np.where(hard, len(outcomes.ways) - 2, 0))


def _architectures(
    model: JointModel, ran: Mapping[str, Ran], splits: Splits, kept: float
) -> list[dict[str, Any]]:
    """Return the cheapest point of each architecture that keeps an accuracy, by validation."""
    task = model.task("edge")
    answers = ran["validation"].answers(task)
    outcomes = ran["validation"].outcomes(task, splits.validation.targets_n)
    judged = ran["test"].outcomes(task, splits.test.targets_n)
    whole = np.full(len(splits.validation), len(outcomes.ways) - 1)
    reference = Reference(
        score=point("cloud", outcomes, whole).right, right_N=outcomes.right_of(whole)
    )
    offered = try_architectures(answers, outcomes, model.gate.hardness)
    rows = []
    for name, tried in zip(("Independent", "Adaptive", "Dynamic"), offered, strict=True):
        found = cheapest(tried, reference, kept=kept, standard_errors=SAFETY)
        chosen = None if found is None else found.choose(ran["test"].answers(task))
        rows.append(
            {
                "architecture": name,
                "policy": None if found is None else found.name,
                "test": None if chosen is None else asdict(point(name, judged, chosen)),
            }
        )
    return rows
