"""A trained joint model: a device's network and codec, a gate, and who answers behind them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn

from edgestill.codec import FrozenCodec
from edgestill.errors import ConfigurationError
from edgestill.inference.answer import Tier
from edgestill.inference.gates import (
    Hardness,
    box_variance,
    least_confidence,
    mean_box_doubt,
    normalised_entropy,
    smallest_margin,
    unsure_boxes,
)
from edgestill.inference.joint.classification import Classification
from edgestill.inference.joint.cloud import Heavier, JointCloud
from edgestill.inference.joint.edge import JointEdge
from edgestill.inference.joint.family import Family
from edgestill.inference.joint.networks import EdgeNetwork
from edgestill.inference.joint.task import Task

RULES: Mapping[str, Hardness] = {
    "least_confidence": least_confidence,
    "normalised_entropy": normalised_entropy,
    "smallest_margin": smallest_margin,
    "unsure_boxes": unsure_boxes(),
    "mean_box_doubt": mean_box_doubt,
    "box_variance": box_variance,
}
"""Gates' rules by name; the last three are for detections, the others for classes."""

_OWNER = "owner"
"""Name in a codec's arrays of what makes its fingerprint that of one device's network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Which inputs a device hands on: those harder than the threshold.

    Attributes:
        rule: a name of :data:`RULES`.
        threshold: found on validation data.
    """

    rule: str
    threshold: float

    @property
    def hardness(self) -> Hardness:
        """The rule.

        Raises:
            ConfigurationError: there is none of that name.
        """
        if self.rule not in RULES:
            raise ConfigurationError(f"gate.rule: {self.rule!r}; expected {', '.join(RULES)}")
        return RULES[self.rule]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointModel:
    """All halves of one model, in evaluation mode.

    Attributes:
        family: what they are made of.
        edge: the device's network.
        codec: of the device's tokens, with the model's fingerprint (see :func:`owned`).
        heavier: who answers for others, by tier: the cloud, and the fog if there is one.
        temperatures: of each tier's probabilities, the device's among them; of a classification.
        gate: the device's.
        bytes_by_rate: expected bytes of a frame at each rate of features and of the whole input,
            ascending.
        fog_doubt: 1 minus an answer's confidence, above which a fog hands the input on to the
            cloud; found on validation data.
    """

    family: Family
    edge: EdgeNetwork
    codec: FrozenCodec
    heavier: Mapping[Tier, Heavier]
    temperatures: Mapping[str, float]
    gate: Gate
    bytes_by_rate: Sequence[int]
    fog_doubt: float = 0.0

    def task(self, tier: Tier) -> Task[Tensor]:
        """Return the task with a tier's probabilities calibrated."""
        return calibrated(self.family.task, self.temperatures.get(tier, 1.0))

    def device_half(self) -> JointEdge:
        """Return what a device runs."""
        return JointEdge(
            inputs=self.family.inputs,
            network=self.edge,
            task=self.task("edge"),
            codec=self.codec,
            bytes_by_rate=self.bytes_by_rate,
        )

    def served_half(self, tier: Tier) -> JointCloud:
        """Return what the cloud or the fog runs.

        Raises:
            KeyError: the model has no such tier.
        """
        return JointCloud(
            tier=tier,
            inputs=self.family.inputs,
            token_shape=self.edge.token_shape,
            codec=self.codec,
            network=self.heavier[tier],
            task=self.task(tier),
            bytes_by_rate=self.bytes_by_rate,
            doubt=self.fog_doubt,
        )


def calibrated(task: Task[Tensor], temperature: float) -> Task[Tensor]:
    """Return a classification with a temperature; a detection's scores are left as they are."""
    if isinstance(task, Classification):
        return replace(task, temperature=temperature)
    return task


def owned(codec: FrozenCodec, edge: EdgeNetwork, family: Family) -> FrozenCodec:
    """Return a codec whose fingerprint is also that of a device's network and its inputs.

    Frames of a device with other weights are then refused, even where the codec is the same.
    """
    return FrozenCodec({**codec.to_arrays(), _OWNER: _digest(edge, family)})


def belongs(codec: FrozenCodec, edge: EdgeNetwork, family: Family) -> bool:
    """Return whether a codec is the :func:`owned` one of a network."""
    owner = codec.to_arrays().get(_OWNER)
    return owner is not None and np.array_equal(owner, _digest(edge, family))


def _digest(edge: nn.Module, family: Family) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    state = hashlib.blake2b(json.dumps(family.plain(), sort_keys=True).encode(), digest_size=16)
    for name, value in sorted(edge.state_dict().items()):
        array = value.detach().cpu().numpy()
        state.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return np.frombuffer(state.digest(), np.uint8)
