"""Students of many devices, trained together: each by itself, or averaged as they go."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from edgestill.config import LossConfig, TrainingConfig
from edgestill.federation import World
from edgestill.jobs.benchmarks.sfd.people import Person
from edgestill.jobs.benchmarks.sfd.scenario import Scenario
from edgestill.knowledge import KnowledgeBatch, coefficients
from edgestill.models import Arrays, Variant, load_arrays
from edgestill.seeds import derive_seed, generator
from edgestill.training import (
    LaneMember,
    LocalWork,
    SamplePrivacy,
    Samples,
    Trained,
    lane_key,
    train_lane,
)

Rows = NDArray[np.int64]
CHUNK = 40
"""Steps between two averages; also those that are laid out in memory at once."""

PRIVATE = "private-students"
LOSS = LossConfig(align=0.0, resource=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a device received: the samples as decoded, None for none; and the frame's length."""

    batch: KnowledgeBatch | None
    frame_bytes: int

    def __len__(self) -> int:
        """Return how many samples."""
        return 0 if self.batch is None else len(self.batch)

    def taken(self, rows: Rows) -> KnowledgeBatch | None:
        """Return some samples, which may repeat."""
        return None if self.batch is None else self.batch.at(rows)


@dataclass(slots=True)
class Deck:
    """Deals numbers below a count in shuffled passes."""

    count: int
    rng: np.random.Generator
    _left: Rows = field(default_factory=lambda: np.empty(0, np.int64))

    def deal(self, wanted: int) -> Rows:
        """Return the next ones."""
        while len(self._left) < wanted:
            self._left = np.concatenate([self._left, self.rng.permutation(self.count)])
        dealt, self._left = self._left[:wanted], self._left[wanted:]
        return dealt


def distil(
    world: World,
    scenario: Scenario,
    people: Sequence[Person],
    received: Sequence[Received],
    *,
    together: bool = False,
) -> list[Arrays]:
    """Train a student on each device from one common start, and return their arrays.

    All take the same number of steps on as many rows, whatever they received: less knowledge is
    seen more often.

    With ``together`` the students are averaged after every :data:`CHUNK` steps, and so are one
    global student in the end.
    """
    seed = derive_seed(world.config.seed, "students")
    training = TrainingConfig(batch_size=scenario.own_rows, keep_optimizer=True)
    decks = [_decks(world, place, one, got) for place, (one, got) in _pairs(people, received)]
    states: list[tuple[Arrays, Arrays]] = [(world.family.initial_arrays(seed), {}) for _ in people]
    for first in range(0, scenario.steps, CHUNK):
        steps = min(CHUNK, scenario.steps - first)
        members = []
        for place, (one, got) in _pairs(people, received):
            own, public = decks[place]
            rows = one.own[own.deal(steps * scenario.own_rows)]
            positions = public.deal(steps * scenario.public_rows if len(got) else 0)
            members.append(
                LaneMember(
                    arrays=states[place][0],
                    samples=Samples.of(world.dataset, rows),
                    knowledge=got.taken(positions),
                    work=_work(world, seed, place, first, states[place][1]),
                )
            )
        trained = _trained(world, members, training)
        states = [(one.arrays, one.optimizer) for one in trained]
        if together:
            average = mean_of([arrays for arrays, _ in states])
            states = [(average, {}) for _ in states]
    return [arrays for arrays, _ in states]


def distil_privately(
    world: World,
    scenario: Scenario,
    people: Sequence[Person],
    received: Sequence[Received],
    *,
    epochs: int,
    rounds: int,
    privacy: SamplePrivacy | None,
) -> list[Arrays]:
    """Train as a device does in ``rounds`` rounds, each own sample seen once in an epoch.

    Only so can the privacy of DP-SGD be accounted: :func:`distil` shows own samples as often as it
    takes to fill its steps.
    """
    seed = derive_seed(world.config.seed, PRIVATE)
    training = TrainingConfig(batch_size=scenario.own_rows, keep_optimizer=True)
    decks = [_decks(world, place, one, got) for place, (one, got) in _pairs(people, received)]
    states: list[tuple[Arrays, Arrays]] = [(private_start(world), {}) for _ in people]
    for number in range(rounds):
        members = []
        for place, (one, got) in _pairs(people, received):
            steps = -(-len(one.own) // scenario.own_rows)
            positions = decks[place][1].deal(steps * scenario.public_rows if len(got) else 0)
            work = _work(world, seed, place, number, states[place][1], epochs, privacy)
            members.append(
                LaneMember(
                    arrays=states[place][0],
                    samples=Samples.of(world.dataset, one.own),
                    knowledge=got.taken(positions),
                    work=work,
                )
            )
        trained = _trained(world, members, training)
        states = [(one.arrays, one.optimizer) for one in trained]
    return [arrays for arrays, _ in states]


def private_start(world: World) -> Arrays:
    """Return where :func:`distil_privately` begins, on all devices."""
    return world.family.initial_arrays(derive_seed(world.config.seed, PRIVATE))


def mean_of(students: Sequence[Arrays]) -> Arrays:
    """Return the unweighted average (all devices have as many samples)."""
    return {name: np.mean([one[name] for one in students], axis=0) for name in students[0]}


def outcomes_of(world: World, arrays: Arrays, rows: Rows) -> tuple[Rows, NDArray[np.float64]]:
    """Return whether a student is right on rows [n], as 0 or 1, and its losses in nats [n]."""
    module = world.family.module(1.0)
    load_arrays(module, arrays)
    module.eval()
    samples = Samples.of(world.dataset, rows)
    with torch.inference_mode():
        logits = module(_variant(world).seen(samples.inputs)).logits
        losses = torch.nn.functional.cross_entropy(logits, samples.labels, reduction="none")
    return (logits.argmax(dim=1) == samples.labels).long().numpy(), losses.double().numpy()


def _trained(
    world: World, members: Sequence[LaneMember], training: TrainingConfig
) -> list[Trained]:
    """Train all, those together whose work has one shape."""
    lanes: defaultdict[Hashable, list[int]] = defaultdict(list)
    for place, one in enumerate(members):
        lanes[lane_key(one, training)].append(place)
    found: dict[int, Trained] = {}
    for places in lanes.values():
        module = world.family.module(1.0)
        results = train_lane(module, [members[one] for one in places], training, LOSS)
        found.update(zip(places, results, strict=True))
    return [found[place] for place in range(len(members))]


def _pairs(
    people: Sequence[Person], received: Sequence[Received]
) -> Iterator[tuple[int, tuple[Person, Received]]]:
    return enumerate(zip(people, received, strict=True))


def _decks(world: World, place: int, one: Person, got: Received) -> tuple[Deck, Deck]:
    def rng(purpose: str) -> np.random.Generator:
        return generator(world.config.seed, purpose, device=place)

    return Deck(len(one.own), rng("deal-own")), Deck(len(got), rng("deal-public"))


def _work(
    world: World,
    seed: int,
    place: int,
    number: int,
    optimizer: Arrays,
    epochs: int = 1,
    privacy: SamplePrivacy | None = None,
) -> LocalWork:
    return LocalWork(
        variant=_variant(world),
        epochs=epochs,
        coefficients=coefficients(LOSS, 0.0),
        pressure=0.0,
        proximal_mu=0.0,
        seed=derive_seed(seed, "training", round_number=number, device=place),
        optimizer=optimizer,
        sample_privacy=privacy,
    )


def _variant(world: World) -> Variant:
    return world.family.variant(dict.fromkeys(world.dataset.kinds, 1.0), 1.0)
