"""All attacks on the devices of one seed.

Membership is of students trained under differential privacy, beside ones trained in the same way
without.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgestill.jobs.benchmarks.sfd.leaks.attributes import EPOCHS, NAMES, infer
from edgestill.jobs.benchmarks.sfd.leaks.inversion import Drawn, invert
from edgestill.jobs.benchmarks.sfd.points import Stage, membership, receive, stage_of
from edgestill.jobs.benchmarks.sfd.scenario import Scenario
from edgestill.jobs.benchmarks.sfd.students import distil_privately, outcomes_of
from edgestill.models import Arrays
from edgestill.privacy import gaussian_epsilon, sample_epsilon
from edgestill.privacy.attacks import AttributeInference
from edgestill.training import SamplePrivacy

DELTA = 1e-5
PRIVACY = SamplePrivacy(clip_norm=0.05, noise_multiplier=4.0)
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
        drawn: by modality, how near trained decoders come to the inputs.
        attributes: by what is seen, how often the user's attribute is found.
        summary_epsilon: of one sample in the summary, at :data:`DELTA`.
        training_epsilon: of one sample in the private training.
        update_epsilon: of one sample in the private update of one round.
        auc: by way of training, ``private`` and ``plain``.
        accuracy: of these students on the users' own data.
    """

    dataset: str
    seed: int
    drawn: dict[str, Drawn]
    attributes: dict[str, AttributeInference]
    summary_epsilon: float | None
    training_epsilon: float | None
    update_epsilon: float | None
    auc: dict[str, float]
    accuracy: dict[str, float]

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "dataset": self.dataset,
            "seed": self.seed,
            "inversion": {kind: asdict(one) for kind, one in self.drawn.items()},
            "attribute": NAMES[self.dataset],
            "attributes": {name: asdict(one) for name, one in self.attributes.items()},
            "summary_epsilon": self.summary_epsilon,
            "training_epsilon": self.training_epsilon,
            "update_epsilon": self.update_epsilon,
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
    seen_from = students["plain"][0]
    config = stage.world.config.knowledge.summary
    return Leaks(
        dataset=scenario.dataset,
        seed=seed,
        drawn=invert(stage, seen_from, seed, scenario.decoder_epochs),
        attributes=infer(stage, scenario, seen_from, PRIVACY, seed),
        summary_epsilon=gaussian_epsilon(
            noise_multiplier=config.noise_multiplier, steps=1, delta=DELTA
        ),
        training_epsilon=_epsilon(scenario, scenario.private_rounds),
        update_epsilon=_epsilon(scenario, 1),
        auc=auc,
        accuracy=accuracy,
    )


def _epsilon(scenario: Scenario, rounds: int) -> float | None:
    """Return the privacy of one sample after rounds of private training."""
    return sample_epsilon(
        samples=scenario.own,
        batch_size=scenario.own_rows,
        epochs=EPOCHS,
        rounds=rounds,
        noise_multiplier=PRIVACY.noise_multiplier,
        delta=DELTA,
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
