"""What is measured: which devices, how much they receive, how long they train."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgestill.config import RunConfig, resolve
from edgestill.models import LateFusion, teacher

POLICIES = ("relevance", "random", "reversed")
"""Those with a budget; ``all`` and ``none`` have one point each."""

COMPARED = (0.25, 0.5)
"""Shares of the bank's bytes at which ``relevance`` is held against ``random``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What every policy has to deal with, on one dataset.

    Attributes:
        dataset: name of a bundled one.
        partition: how the private part is dealt to ``population`` devices.
        held_out_share: of each device's samples; 0 where the test split stands for them.
        devices: that are trained and tested, drawn anew for each seed.
        own: labelled samples of each.
        steps: of each student, whatever it received.
        own_rows, public_rows: of each step.
        shares: of the bank's samples that devices receive.
        link_bytes_per_s: bandwidths; ``window_s`` is what the deadline leaves for the knowledge.
        averaged: whether global students, slow links and the lower rate are measured too.
        attacked: devices whose students are attacked for membership.
        users: at most, whose attribute is inferred by an update, and of whom the attacker learns.
        decoder_epochs: of the attackers' convolutional decoders.
        teacher_epochs: at most.
        private_rounds: of the training under differential privacy, and of that beside it without.
    """

    dataset: str
    partition: Mapping[str, Any]
    population: int
    held_out_share: float
    devices: int
    own: int
    steps: int
    shares: tuple[float, ...]
    link_bytes_per_s: tuple[int, ...]
    teacher_epochs: int
    private_rounds: int
    averaged: bool = True
    attacked: int = 8
    users: int = 60
    decoder_epochs: int = 10
    own_rows: int = 8
    public_rows: int = 24
    window_s: float = 5.0

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"partition": dict(self.partition)}

    def config(self, seed: int, selection: str = "relevance") -> RunConfig:
        """Return the configuration of a seed's devices under a policy."""
        return resolve(
            {
                "name": f"sfd-{self.dataset}",
                "seed": seed,
                "data": {"name": self.dataset, "partition": dict(self.partition)},
                "teacher": {
                    "factory": "edgestill.jobs.benchmarks.sfd.scenario:half_teacher",
                    "epochs": self.teacher_epochs,
                    "patience_epochs": 4,
                },
                "knowledge": {"selection": selection},
                "evaluation": {"held_out_share": self.held_out_share},
                "fleet": {"devices": self.population},
            }
        )


def half_teacher(
    modalities: Mapping[str, tuple[int, ...]], classes: int, width: float = 1.0
) -> LateFusion:
    """Build the product's teacher with half of its channels, so that it learns in the time."""
    return teacher(modalities, classes, 0.5 * width)


def scenarios(*, quick: bool) -> tuple[Scenario, ...]:
    """Return the scenario of each dataset."""
    devices, steps = (6, 24) if quick else (8, 80)
    shares = (0.25, 0.5) if quick else (0.125, 0.25, 0.5)
    links = () if quick else (25_000, 50_000, 100_000)
    return (
        Scenario(
            dataset="affect",
            partition={"kind": "user"},
            population=48,
            held_out_share=0.5,
            devices=devices,
            own=24,
            steps=steps,
            shares=shares,
            link_bytes_per_s=links,
            teacher_epochs=6 if quick else 15,
            private_rounds=2 if quick else 8,
            averaged=not quick,
            attacked=devices,
            users=12 if quick else 60,
            decoder_epochs=1 if quick else 10,
        ),
        Scenario(
            dataset="av_digits",
            partition={"kind": "dirichlet", "alpha": 0.3},
            population=100,
            held_out_share=0.0,
            devices=devices,
            own=16,
            steps=steps,
            shares=shares,
            link_bytes_per_s=links,
            teacher_epochs=3 if quick else 15,
            private_rounds=2 if quick else 8,
            averaged=not quick,
            attacked=devices,
            users=12 if quick else 60,
            decoder_epochs=1 if quick else 10,
        ),
    )


def seeds_of(*, quick: bool) -> tuple[int, ...]:
    """Return the seeds."""
    return (21,) if quick else (21, 22, 23)
