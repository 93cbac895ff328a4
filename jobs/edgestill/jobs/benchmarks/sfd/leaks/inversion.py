"""Pictures and spectrograms drawn again from what is seen of a device's own samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgestill.jobs.benchmarks.sfd.leaks.seen import of_samples, told_by
from edgestill.jobs.benchmarks.sfd.points import Stage
from edgestill.models import Arrays
from edgestill.privacy.attacks import invert_features
from edgestill.seeds import generator

Rows = NDArray[np.int64]

KINDS = ("visual", "audio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What an attacker's decoders make of one modality.

    Attributes:
        psnr_db: by what is seen.
        blind_psnr_db: of an attacker who sees nothing.
    """

    psnr_db: dict[str, float]
    blind_psnr_db: float


def invert(stage: Stage, student: Arrays, seed: int, epochs: int) -> dict[str, Drawn]:
    """Return what is drawn of the devices' own samples, by kind.

    Of a summary, every sample that went into it is asked for.

    Args:
        stage: with the attacked devices.
        student: whose features are seen.
        seed: of the attacker.
        epochs: of the convolutional decoder.
    """
    sides = _groups(stage, seed), [person.own for person in stage.people]
    public, private = (np.concatenate(side) for side in sides)
    of_public, of_private = (of_samples(stage, student, rows) for rows in (public, private))
    seen = {name: (of_public[name], of_private[name]) for name in of_public}
    told = [np.repeat(told_by(stage, side, seed), len(side[0]), axis=0) for side in sides]
    seen["summary"] = told[0], told[1]
    inputs = stage.world.dataset.inputs(public), stage.world.dataset.inputs(private)
    drawn = {}
    for kind in KINDS:
        found, blind = {}, 0.0
        for name, (known, travelled) in seen.items():
            inverted = invert_features(
                known, inputs[0][kind], travelled, inputs[1][kind], seed=seed, epochs=epochs
            )
            found[name], blind = inverted.psnr_db, inverted.blind_psnr_db
        drawn[kind] = Drawn(psnr_db=found, blind_psnr_db=blind)
    return drawn


def _groups(stage: Stage, seed: int) -> list[Rows]:
    """Return public samples in groups like a device's own ones, user by user where known."""
    dataset, size = stage.world.dataset, len(stage.people[0].own)
    public = generator(seed, "groups").permutation(dataset.splits["public"])
    if stage.world.held_out is not None and dataset.users is not None:
        public = public[np.argsort(dataset.users[public], kind="stable")]
    return [public[first : first + size] for first in range(0, len(public) - size + 1, size)]
