"""What a server can make of what leaves a device: a picture, or whether a sample was there.

Inversion is of the visual modality. Membership is of a student trained under differential privacy,
beside one trained in the same way without.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgestill.jobs.benchmarks.sfd.people import Person
from edgestill.jobs.benchmarks.sfd.points import (
    Stage,
    membership,
    receive,
    stage_of,
    summary_of,
)
from edgestill.jobs.benchmarks.sfd.scenario import Scenario
from edgestill.jobs.benchmarks.sfd.students import distil_privately, outcomes_of
from edgestill.knowledge import Summary
from edgestill.models import Arrays, load_arrays
from edgestill.privacy import gaussian_epsilon, sample_epsilon
from edgestill.privacy.attacks import invert_features
from edgestill.seeds import generator
from edgestill.training import SamplePrivacy, Samples

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

VISUAL = "visual"
DELTA = 1e-5
PRIVACY = SamplePrivacy(clip_norm=0.05, noise_multiplier=4.0)
EPOCHS = 5
SHARE = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """Whose devices are attacked."""

    scenario: Scenario
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaks:
    """What one seed's devices leak.

    Attributes:
        psnr_db: by what is seen, of the pictures that a trained decoder makes of it.
        blind_psnr_db: of an attacker who sees nothing.
        summary_epsilon: of one sample in the summary, at :data:`DELTA`.
        training_epsilon: of one sample in the private training.
        auc: by way of training, ``private`` and ``plain``.
        accuracy: of these students on the users' own data.
    """

    dataset: str
    seed: int
    psnr_db: dict[str, float]
    blind_psnr_db: float
    summary_epsilon: float | None
    training_epsilon: float | None
    auc: dict[str, float]
    accuracy: dict[str, float]

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "dataset": self.dataset,
            "seed": self.seed,
            "inversion_psnr_db": self.psnr_db,
            "blind_psnr_db": self.blind_psnr_db,
            "summary_epsilon": self.summary_epsilon,
            "training_epsilon": self.training_epsilon,
            "delta": DELTA,
            "membership_auc": self.auc,
            "accuracy": self.accuracy,
        }


def measure_leaks(scenario: Scenario, seed: int, folder: Path) -> Leaks:
    """Attack what leaves the devices of a seed."""
    stage = stage_of(replace(scenario, devices=scenario.attacked), seed, folder)
    auc, accuracy, students = {}, {}, {}
    for name, privacy in (("plain", None), ("private", PRIVACY)):
        students[name] = _students(stage, scenario, privacy)
        auc[name] = membership(stage, students[name]).auc
        accuracy[name] = _accuracy(stage, students[name])
    psnr_db, blind_psnr_db = _inverted(stage, students["plain"][0], seed)
    config = stage.world.config.knowledge.summary
    return Leaks(
        dataset=scenario.dataset,
        seed=seed,
        psnr_db=psnr_db,
        blind_psnr_db=blind_psnr_db,
        summary_epsilon=gaussian_epsilon(
            noise_multiplier=config.noise_multiplier, steps=1, delta=DELTA
        ),
        training_epsilon=sample_epsilon(
            samples=scenario.own,
            batch_size=scenario.own_rows,
            epochs=EPOCHS,
            rounds=scenario.private_rounds,
            noise_multiplier=PRIVACY.noise_multiplier,
            delta=DELTA,
        ),
        auc=auc,
        accuracy=accuracy,
    )


def _students(stage: Stage, scenario: Scenario, privacy: SamplePrivacy | None) -> list[Arrays]:
    samples = round(SHARE * len(stage.bank))
    received = [receive(stage, place, "relevance", samples) for place in range(len(stage.people))]
    return distil_privately(
        stage.world,
        scenario,
        stage.people,
        received,
        epochs=EPOCHS,
        rounds=scenario.private_rounds,
        privacy=privacy,
    )


def _accuracy(stage: Stage, students: list[Arrays]) -> float:
    pairs = zip(students, stage.people, strict=True)
    rights = [
        outcomes_of(stage.world, one, person.tested)[0] @ person.weights for one, person in pairs
    ]
    return float(np.mean(rights))


def _inverted(stage: Stage, student: Arrays, seed: int) -> tuple[dict[str, float], float]:
    """Return PSNR by what is seen of the devices' own samples, and that of a blind attacker.

    Of a summary, every sample that went into it is asked for.
    """
    dataset = stage.world.dataset
    sides = _groups(stage, seed), [person.own for person in stage.people]
    rows = [np.concatenate(side) for side in sides]
    pictures = [dataset.inputs(some)[VISUAL] for some in rows]
    low, high = float(pictures[0].min()), float(pictures[0].max())
    found, blind = {}, 0.0
    seen = {
        "features": [_embedded(stage, student, some) for some in rows],
        "summary": [np.concatenate([_told(stage, one, seed) for one in side]) for side in sides],
    }
    for name, (public, private) in seen.items():
        inverted = invert_features(
            public,
            pictures[0],
            private,
            pictures[1],
            seed=seed,
            epochs=10,
            value_range=(low, high),
        )
        found[name], blind = inverted.psnr_db, inverted.blind_psnr_db
    return found, blind


def _groups(stage: Stage, seed: int) -> list[Rows]:
    """Return public samples in groups like a device's own ones, user by user where known."""
    dataset, size = stage.world.dataset, len(stage.people[0].own)
    public = generator(seed, "groups").permutation(dataset.splits["public"])
    if stage.world.held_out is not None and dataset.users is not None:
        public = public[np.argsort(dataset.users[public], kind="stable")]
    return [public[first : first + size] for first in range(0, len(public) - size + 1, size)]


def _told(stage: Stage, rows: Rows, seed: int) -> Floats:
    """Return for each sample of a group the numbers of the group's noised summary [n, K + P]."""
    empty = np.empty(0, np.int64)
    person = Person(own=rows, tested=empty, weights=np.empty(0), unseen=empty)
    summary = summary_of(stage, person, generator(seed, "told", device=int(rows[0])))
    return np.tile(_numbers(summary), (len(rows), 1))


def _numbers(summary: Summary) -> Floats:
    parts = [summary.histogram] + ([] if summary.prototype is None else [summary.prototype])
    return np.concatenate(parts).astype(np.float32)


def _embedded(stage: Stage, student: Arrays, rows: Rows) -> Floats:
    """Return the student's features of each sample, all kinds side by side [n, kinds D]."""
    module = stage.world.family.module(1.0)
    load_arrays(module, student)
    module.eval()
    with torch.inference_mode():
        embeddings = module(Samples.of(stage.world.dataset, rows).inputs).embeddings
    return np.asarray(torch.cat(list(embeddings.values()), dim=1).numpy())
