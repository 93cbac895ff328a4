"""The device's half, frozen: what it makes of an input, and what it sends of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgestill.codec import FrozenCodec
from edgestill.inference.client import Glance, Inputs
from edgestill.inference.gates import Hardness
from edgestill.inference.joint.inputs import Specs, checked, input_frame, standardised
from edgestill.inference.joint.networks import EdgeNetwork
from edgestill.inference.joint.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look leaves to be sent.

    Attributes:
        tokens_ND: float32, for the rates of the codec.
        inputs: the raw arrays by kind, for the last rate.
    """

    tokens_ND: NDArray[np.float32]  # noqa: N815 - shape letters
    inputs: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointEdge:
    """A device's network with its codec; an :class:`~edgestill.inference.client.EdgeHalf`.

    Rates 0 to R - 1 are features, coarsest first; rate R is the whole input.

    Attributes:
        inputs: what :meth:`look` takes, by kind.
        network: in evaluation mode.
        task: its probabilities are calibrated.
        codec: of R rates, with the model's fingerprint.
        bytes_by_rate: expected bytes of a frame at each of the R + 1 rates.
    """

    inputs: Specs
    network: EdgeNetwork
    task: Task[Tensor]
    codec: FrozenCodec
    bytes_by_rate: Sequence[int]

    @property
    def fingerprint(self) -> int:
        """Unsigned 32-bit name of the network and its codec, in every frame."""
        return self.codec.fingerprint

    @property
    def input_rate(self) -> int:
        """R, at which the whole input is sent."""
        return self.codec.sizes.rates

    @torch.inference_mode()
    def look(self, inputs: Inputs) -> Glance:
        """Return what the device makes of one input, raw arrays by kind.

        Raises:
            InputError: an input of the wrong kind, shape or type.
        """
        raw = checked(self.inputs, inputs)
        seen = standardised(self.inputs, {kind: array[None] for kind, array in raw.items()})
        tokens = self.network.tokens(seen)
        outputs = self.network.answer(tokens)
        return Glance(
            answer=self.task.told(outputs, "edge")[0],
            answers=self.task.answers(outputs),
            features=Looked(tokens_ND=tokens[0].numpy(), inputs=raw),
        )

    def encode(self, features: Looked, rate: int) -> bytes:
        """Return the frame of an input that was looked at.

        Raises:
            ValueError: no such rate.
        """
        if rate == self.input_rate:
            return input_frame(self.inputs, features.inputs, self.fingerprint)
        return self.codec.encode(features.tokens_ND, rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What :class:`~edgestill.inference.client.EdgeClient` needs of a model.

    Attributes:
        half: the network and its codec.
        hardness: the gate's rule.
        threshold: above it an input is handed on; found on validation data.
        description: what ``joint.json`` says of the model.
    """

    half: JointEdge
    hardness: Hardness
    threshold: float
    description: Mapping[str, Any]
