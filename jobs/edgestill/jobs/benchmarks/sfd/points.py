"""One point: a policy and a budget, for all devices of a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.errors import RunError
from edgestill.federation import World, load_taught, world_of
from edgestill.jobs.benchmarks.sfd.people import Person, people_of
from edgestill.jobs.benchmarks.sfd.scenario import Scenario
from edgestill.jobs.benchmarks.sfd.students import Received, distil, outcomes_of
from edgestill.knowledge import (
    Choice,
    KnowledgeBank,
    Summary,
    decode_frame,
    fit_to_link,
    project,
    select,
    summarize,
)
from edgestill.models import Arrays
from edgestill.privacy.attacks import Membership, likelihood_ratio_attack
from edgestill.seeds import generator

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What is to be measured.

    Attributes:
        policy: of ``knowledge.selection``.
        share: of the bank's samples, 0..1.
        together: whether a global student is trained instead of personal ones.
        lower_rate: whether half of each sample's bits stay behind.
        link_bytes_per_s: of a link that has to bring the share within the scenario's window, or as
            much of it as it can; rate and number of samples follow from it. None for no limit.
    """

    scenario: Scenario
    seed: int
    policy: str
    share: float
    together: bool = False
    lower_rate: bool = False
    link_bytes_per_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a point.

    Attributes:
        accuracy: mean over devices: of the personal students on the users' own data, or of the
            global student on it.
        test_accuracy: of the same students on the test split.
        received_bytes: mean length of the knowledge frames.
        membership_auc: of the likelihood-ratio attack on the personal students; None for a global
            one.
    """

    point: Point
    accuracy: float
    test_accuracy: float
    received_bytes: float
    membership_auc: float | None

    def to_plain(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "dataset": self.point.scenario.dataset,
            "seed": self.point.seed,
            "policy": self.point.policy,
            "share": self.point.share,
            "student": "global" if self.point.together else "personal",
            "lower_rate": self.point.lower_rate,
            "link_bytes_per_s": self.point.link_bytes_per_s,
            "accuracy": self.accuracy,
            "test_accuracy": self.test_accuracy,
            "received_bytes": self.received_bytes,
            "membership_auc": self.membership_auc,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What all points of a dataset and a seed share."""

    world: World
    bank: KnowledgeBank
    people: Sequence[Person]


def stage_of(scenario: Scenario, seed: int, folder: Path) -> Stage:
    """Return the stage; the teacher was saved in ``folder / dataset``.

    Raises:
        RunError: it was not.
    """
    world = world_of(scenario.config(seed))
    taught = load_taught(world, folder / scenario.dataset)
    if taught is None:
        raise RunError(f"{folder / scenario.dataset}: no teacher there")
    people = people_of(world, scenario.devices, scenario.own)
    return Stage(world=world, bank=taught.bank, people=people)


def measure_point(point: Point, folder: Path) -> Outcome:
    """Train the students of a point and test them."""
    stage = stage_of(point.scenario, point.seed, folder)
    samples, lower_rate = amount_of(stage.bank, point)
    given = [
        receive(stage, place, point.policy, samples, lower_rate=lower_rate)
        for place in range(len(stage.people))
    ]
    students = distil(stage.world, point.scenario, stage.people, given, together=point.together)
    return judged(stage, point, given, students)


def amount_of(bank: KnowledgeBank, point: Point) -> tuple[int, bool]:
    """Return how many samples are sent, and whether at the lower rate."""
    samples = round(point.share * len(bank))
    if point.link_bytes_per_s is None:
        return samples, point.lower_rate
    fit = fit_to_link(
        bank.layout(bank.kinds),
        samples,
        bandwidth_bytes_per_s=point.link_bytes_per_s,
        deadline_s=point.scenario.window_s,
    )
    return fit.samples, fit.lower_rate


def judged(
    stage: Stage, point: Point, given: Sequence[Received], students: Sequence[Arrays]
) -> Outcome:
    """Return how well students do and what they tell of their devices' samples."""
    world, test = stage.world, stage.world.dataset.splits["test"]
    tested = students[:1] if point.together else students
    on_test = [float(outcomes_of(world, one, test)[0].mean()) for one in tested]
    return Outcome(
        point=point,
        accuracy=float(
            np.mean(
                [
                    outcomes_of(world, student, person.tested)[0] @ person.weights
                    for student, person in zip(students, stage.people, strict=True)
                ]
            )
        ),
        test_accuracy=float(np.mean(on_test)),
        received_bytes=float(np.mean([one.frame_bytes for one in given])),
        membership_auc=None if point.together else membership(stage, students).auc,
    )


def receive(
    stage: Stage, place: int, policy: str, samples: int, *, lower_rate: bool = False
) -> Received:
    """Return what a policy sends to a device that is to have so many samples."""
    config = stage.world.config.knowledge.model_copy(update={"selection": policy})
    noise = generator(stage.world.config.seed, "summary-noise", device=place)
    choice = select(
        config,
        bank=stage.bank,
        summary=summary_of(stage, stage.people[place], noise),
        rng=generator(stage.world.config.seed, f"select/{policy}", device=place),
        budget=samples,
    )
    return received(stage.bank, choice, lower_rate=lower_rate)


def received(bank: KnowledgeBank, choice: Choice, *, lower_rate: bool) -> Received:
    """Return what comes of the frame that brings a choice."""
    if not len(choice.positions):
        return Received(batch=None, frame_bytes=0)
    records = bank.records(choice.positions, bank.kinds)
    frame = bank.layout(bank.kinds).join(records, choice.relevance, lower_rate=lower_rate)
    return Received(batch=decode_frame(frame, fingerprint=bank.fingerprint), frame_bytes=len(frame))


def summary_of(stage: Stage, person: Person, rng: np.random.Generator) -> Summary:
    """Return a device's noised summary, as the product makes it."""
    world, projection = stage.world, stage.bank.projection
    labels = world.dataset.labels[person.own]
    return summarize(
        world.config.knowledge.summary,
        labels=labels,
        projections=project(projection, world.dataset.inputs(person.own), labels),
        widths=projection.widths,
        classes=world.dataset.classes,
        rng=rng,
    )


def membership(stage: Stage, students: Sequence[Arrays]) -> Membership:
    """Return how well an attacker tells a device's samples from others by its student.

    The attacker is the server, which knows start and update and so the student; its references are
    the students of the other devices, which never saw the samples.
    """
    losses = [
        np.stack(
            [
                outcomes_of(stage.world, student, np.concatenate([person.own, person.unseen]))[1]
                for student in students
            ]
        )
        for person in stage.people
    ]
    sides: tuple[list[Values], list[Values]] = ([], [])
    references: tuple[list[Values], list[Values]] = ([], [])
    for place, (table, person) in enumerate(zip(losses, stage.people, strict=True)):
        others = np.delete(table, place, axis=0)
        for side, rows in enumerate((slice(len(person.own)), slice(len(person.own), None))):
            sides[side].append(table[place, rows])
            references[side].append(others[:, rows])
    joined = [np.concatenate(side) for side in sides]
    known = [np.concatenate(side, axis=1) for side in references]
    return likelihood_ratio_attack(joined[0], joined[1], known[0], known[1])
