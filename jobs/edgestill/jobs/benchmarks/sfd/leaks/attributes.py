"""What kind of user is it? The style group, or the voice's sex, by what leaves a device.

In ``affect`` the users of a group express emotions alike and speak with one accent; in
``av_digits`` a user's voice is a woman's or not. The attacker has the public users' samples, whose
attribute he knows. What he sees of private users is of samples, or of whole devices; of these each
holds samples of one user, which in ``av_digits`` is the worst case, since there a device of the
other measurements holds samples of many.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgestill.data import Dataset
from edgestill.data.affect import roster as affect
from edgestill.data.av_digits import roster as av_digits
from edgestill.jobs.benchmarks.sfd.leaks.seen import (
    Floats,
    inputs_of,
    of_samples,
    person_of,
    told_by,
)
from edgestill.jobs.benchmarks.sfd.points import Stage
from edgestill.jobs.benchmarks.sfd.scenario import Scenario
from edgestill.jobs.benchmarks.sfd.students import Received, distil_privately, private_start
from edgestill.models import Arrays
from edgestill.privacy.attacks import AttributeInference, infer_attribute
from edgestill.seeds import generator
from edgestill.training import SamplePrivacy

Rows = NDArray[np.int64]
Pair = tuple[NDArray[Any], NDArray[Any]]

NAMES = {"affect": "style group of 6", "av_digits": "voice, female or not"}
FEMALE = frozenset(
    (
        *("f1", "f2", "f3", "f4", "f5", "Alicia", "Andrea", "Annie"),
        *("anika", "aunty", "belinda", "grandma", "linda", "steph"),
    )
)
"""Voices that espeak-ng's files call female; of the others some are called male, some nothing."""

EPOCHS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Groups of samples of one user each: the attacker's ``known`` ones, and ``attacked`` ones."""

    known: list[Rows]
    attacked: list[Rows]

    @property
    def groups(self) -> tuple[list[Rows], list[Rows]]:
        """Both sides."""
        return self.known, self.attacked


def infer(
    stage: Stage, scenario: Scenario, student: Arrays, privacy: SamplePrivacy, seed: int
) -> dict[str, AttributeInference]:
    """Return how often the attribute is found, by what is seen.

    Args:
        stage: with the users.
        scenario: how a device trains, and how many users are attacked.
        student: whose features are seen.
        privacy: of the ``update_private``.
        seed: of the attacker.
    """
    dataset = stage.world.dataset
    sides = sides_of(dataset, scenario, seed)
    known, attacked = map(np.concatenate, sides.groups)
    of_known, of_attacked = (of_samples(stage, student, rows) for rows in (known, attacked))
    of_known["raw"], of_attacked["raw"] = (inputs_of(dataset, rows) for rows in (known, attacked))
    found = {}
    for name in ("raw", *(name for name in of_known if name != "raw")):
        found[name] = _found(dataset, of_known[name], known, of_attacked[name], attacked, seed)
    for name, (seen, rows) in _of_devices(stage, scenario, sides, privacy, seed).items():
        found[name] = _found(dataset, seen[0], rows[0], seen[1], rows[1], seed)
    return found


def attribute_of(dataset: Dataset, rows: Rows) -> Rows:
    """Return the attribute of each sample's user, 0, 1, ..."""
    if dataset.users is None:
        raise ValueError(f"{dataset.name}: its users are not known")
    return np.take(_by_user(dataset.name), dataset.users[rows])


@cache
def _by_user(name: str) -> Rows:
    if name == "affect":
        return np.array([user.group for user in affect.users()])
    return np.array([int(user.variant in FEMALE) for user in av_digits.users()])


def sides_of(dataset: Dataset, scenario: Scenario, seed: int) -> Sides:
    """Return one group of each user, as large as a device's own samples."""
    known, attacked = (
        _groups(dataset, dataset.splits[split], scenario.own, seed)
        for split in ("public", "private")
    )
    return Sides(known=known, attacked=attacked)


def _groups(dataset: Dataset, rows: Rows, size: int, seed: int) -> list[Rows]:
    if dataset.users is None:
        raise ValueError(f"{dataset.name}: its users are not known")
    rng = generator(seed, "attribute-users")
    users = rng.permutation(np.unique(dataset.users[rows]))
    own = [rows[dataset.users[rows] == user] for user in users]
    return [np.sort(rng.choice(some, size, replace=False)) for some in own if len(some) >= size]


def _of_devices(
    stage: Stage, scenario: Scenario, sides: Sides, privacy: SamplePrivacy, seed: int
) -> dict[str, tuple[Pair, Pair]]:
    """Return by name what each group's device sends, and a row of its user, on both sides.

    An update is that of one round, from a start that the attacker knows, on the device's own
    samples alone: public ones would tell of others.
    """
    told = [told_by(stage, side, seed) for side in sides.groups]
    sent = {"summary": ((told[0], told[1]), (_firsts(sides.known), _firsts(sides.attacked)))}
    known, attacked = (side[: scenario.users] for side in sides.groups)
    for name, kind in (("update", None), ("update_private", privacy)):
        seen = _updates(stage, scenario, [*known, *attacked], kind)
        parts = seen[: len(known)], seen[len(known) :]
        sent[name] = parts, (_firsts(known), _firsts(attacked))
    return sent


def _updates(
    stage: Stage, scenario: Scenario, groups: list[Rows], privacy: SamplePrivacy | None
) -> Floats:
    nothing = Received(batch=None, frame_bytes=0)
    people = [person_of(rows) for rows in groups]
    trained = distil_privately(
        stage.world,
        scenario,
        people,
        [nothing] * len(groups),
        epochs=EPOCHS,
        rounds=1,
        privacy=privacy,
    )
    start = private_start(stage.world)
    return np.stack([_flat(one, start) for one in trained])


def _firsts(groups: list[Rows]) -> Rows:
    return np.array([rows[0] for rows in groups])


def _flat(arrays: Arrays, start: Arrays) -> Floats:
    return np.concatenate([(arrays[name] - start[name]).ravel() for name in start])


def _found(
    dataset: Dataset, known: Floats, rows: Rows, attacked: Floats, others: Rows, seed: int
) -> AttributeInference:
    return infer_attribute(
        known, attribute_of(dataset, rows), attacked, attribute_of(dataset, others), seed=seed
    )
