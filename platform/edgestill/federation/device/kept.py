"""What a device keeps to itself from round to round, in its node's ``Context.state``.

Personal parameters (Arivazhagan et al., "Federated Learning with Personalization Layers", 2019,
section 3) are trained on the device and never leave it; neither does its optimiser's state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from flwr.app import Array, ArrayRecord, Context

from edgestill.config import TrainingConfig
from edgestill.errors import CheckpointError, ConfigurationError
from edgestill.models import Arrays, ModelFamily, leading_block

PERSONAL, OPTIMIZER = "personal", "optimizer"

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Name to array: personal parameters, and the optimiser's state; both empty at first."""

    personal: Arrays = field(default_factory=dict)
    optimizer: Arrays = field(default_factory=dict)

    @classmethod
    def of(cls, context: Context) -> "Kept":
        """Read what a node kept."""
        if not len(context.state):
            return cls()
        return cls(personal=_read(context, PERSONAL), optimizer=_read(context, OPTIMIZER))

    def write(self, context: Context) -> None:
        """Keep it in the node; nothing is written where there is nothing to keep."""
        for name, arrays in ((PERSONAL, self.personal), (OPTIMIZER, self.optimizer)):
            if arrays:
                record = {key: Array(np.asarray(array)) for key, array in arrays.items()}
                context.state[name] = ArrayRecord(record)

    def after(self, personal: Arrays, optimizer: Arrays) -> "Kept":
        """Return what to keep after a round; the part that it did not train stays."""
        return Kept(
            personal=_renewed(self.personal, personal),
            optimizer=_renewed(self.optimizer, optimizer),
        )


def is_personal(training: TrainingConfig, name: str) -> bool:
    """Return whether an array stays on the device."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in training.personal)


def shared_shapes(training: TrainingConfig, shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the arrays that travel."""
    return {name: shape for name, shape in shapes.items() if not is_personal(training, name)}


def check_personal(training: TrainingConfig, names: Sequence[str]) -> None:
    """Refuse personal parts that the model does not have, or that leave nothing to share.

    Raises:
        ConfigurationError: naming the part, and the outermost ones that there are.
    """
    outermost = sorted({name.partition(".")[0] for name in names})
    for prefix in training.personal:
        if not any(name == prefix or name.startswith(f"{prefix}.") for name in names):
            raise ConfigurationError(
                f"training.personal: the student has no part {prefix!r}; outermost it has "
                f"{', '.join(outermost)}"
            )
    if training.personal and all(is_personal(training, name) for name in names):
        raise ConfigurationError("training.personal: every part is personal; nothing is shared")


def check_resumable(training: TrainingConfig) -> None:
    """Refuse to go on where devices have lost what they kept.

    Raises:
        CheckpointError: naming the setting.
    """
    key = "personal" if training.personal else "keep_optimizer" if training.keep_optimizer else None
    if key is not None:
        raise CheckpointError(
            f"training.{key}: what devices keep to themselves is in no checkpoint, so this run "
            "cannot be resumed; begin a new one"
        )


def personal_start(
    training: TrainingConfig, family: ModelFamily, seed: int, shapes: Shapes, kept: Kept
) -> Arrays:
    """Return the personal arrays that a device begins a round with: kept ones, else as drawn."""
    own = {name: shape for name, shape in shapes.items() if is_personal(training, name)}
    return _fitted(leading_block(_initial(family, seed), own), kept.personal) if own else {}


def _fitted(arrays: Arrays, kept: Arrays) -> Arrays:
    """Lay what was kept over arrays, where it reaches; widths differ from round to round."""
    for name, array in arrays.items():
        if name in kept:
            overlap = tuple(map(slice, np.minimum(array.shape, kept[name].shape)))
            array[overlap] = kept[name][overlap]
    return arrays


def _renewed(kept: Arrays, trained: Arrays) -> Arrays:
    renewed = dict(kept)
    for name, array in trained.items():
        wider = name in kept and kept[name].size > array.size
        renewed[name] = _fitted({name: kept[name].copy()}, {name: array})[name] if wider else array
    return renewed


@lru_cache(maxsize=2)
def _initial(family: ModelFamily, seed: int) -> Arrays:
    return family.initial_arrays(seed)


def _read(context: Context, name: str) -> Arrays:
    records = context.state.array_records
    return {key: array.numpy() for key, array in records[name].items()} if name in records else {}
