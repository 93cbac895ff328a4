"""The cloud's or a fog's half: frames of a device's features or of whole inputs, answered.

Letters: N tokens, D features of a token.
"""

# Names end in shape letters.
# ruff: noqa: N803, N815

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgestill.codec import FrozenCodec
from edgestill.codec.frozen import CODEC_TOKENS
from edgestill.errors import FrameError
from edgestill.inference.answer import Answer, Tier
from edgestill.inference.joint.inputs import Specs, input_of_frame, stacked, standardised
from edgestill.inference.joint.networks import CloudNetwork
from edgestill.inference.joint.task import Task

_CODEC_AT = 5
"""Byte of a frame that says what it holds."""


class Heavier(nn.Module):
    """A fog's or the cloud's network, and what answers from a device's tokens: y = h_c(A(u)).

    Attributes:
        network: answers from whole inputs.
        adapter: A, from tokens to the network's features.
        tail: a copy of the network whose answer was trained further behind the adapter.
    """

    def __init__(self, network: CloudNetwork, token_shape: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        self.adapter = network.adapter(token_shape)
        self.tail = copy.deepcopy(network)

    def from_inputs(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the outputs for standardised inputs by kind, each [B, ...]."""
        return self.network.answer(self.network.features(inputs))

    def from_tokens(self, tokens_BND: Tensor) -> Tensor:
        """Return the outputs for a device's tokens as they were decoded."""
        return self.tail.answer(self.adapter(tokens_BND))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a frame held: tokens float32 [N, D], or raw inputs by kind."""

    tokens_ND: NDArray[np.float32] | None = None
    inputs: Mapping[str, NDArray[Any]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JointCloud:
    """Answers a device's frames; a :class:`~edgestill.inference.service.served.Served`.

    Attributes:
        tier: who answers.
        inputs: what devices take in, by kind.
        token_shape: N and D.
        codec: the device's.
        network: in evaluation mode.
        task: its probabilities are calibrated.
        bytes_by_rate: expected bytes of a frame at each rate; the last is the whole input's.
        doubt: 1 minus an answer's confidence, above which a fog asks the cloud.
    """

    tier: Tier
    inputs: Specs
    token_shape: tuple[int, int]
    codec: FrozenCodec
    network: Heavier
    task: Task[Tensor]
    bytes_by_rate: Sequence[int]
    doubt: float = 0.0

    @property
    def fingerprint(self) -> int:
        """Unsigned 32-bit name of the device's half."""
        return self.codec.fingerprint

    def describe(self) -> dict[str, Any]:
        """Return who answers, what a device takes in, and what it sends at which rate."""
        return {
            "tier": self.tier,
            "task": type(self.task).__name__.lower(),
            "inputs": {
                kind: {"shape": list(spec.shape), "dtype": np.dtype(spec.dtype).name}
                for kind, spec in self.inputs.items()
            },
            "tokens": list(self.token_shape),
            "input_rate": self.codec.sizes.rates,
            "bytes_by_rate": list(self.bytes_by_rate),
        }

    def read(self, frame: bytes) -> Content:
        """Return the content of a frame, of features at any rate or of the whole input.

        What it would take in memory is checked before it is decoded.

        Raises:
            FrameError: not a whole frame of this model's device.
        """
        if frame[_CODEC_AT : _CODEC_AT + 1] != bytes((CODEC_TOKENS,)):
            return Content(inputs=input_of_frame(self.inputs, frame, self.fingerprint))
        count, features = self.token_shape
        tokens = self.codec.decode(frame, max_bytes=4 * count * features)
        if len(tokens) != count:
            raise FrameError(f"frame has {len(tokens)} tokens; this model's have {count}")
        return Content(tokens_ND=tokens)

    @torch.inference_mode()
    def answer(self, contents: Sequence[Content]) -> list[Answer]:
        """Return the answers to a batch, in its order; features together, inputs together."""
        answers: dict[int, Answer] = {}
        for places, outputs in self._outputs(contents):
            answers.update(zip(places, self.task.told(outputs, self.tier), strict=True))
        return [answers[place] for place in range(len(contents))]

    def _outputs(self, contents: Sequence[Content]) -> list[tuple[list[int], Tensor]]:
        sent = {n: one.tokens_ND for n, one in enumerate(contents) if one.tokens_ND is not None}
        whole = {n: one.inputs for n, one in enumerate(contents) if one.inputs is not None}
        found = []
        if sent:
            tokens = torch.from_numpy(np.stack(list(sent.values())))
            found.append((list(sent), self.network.from_tokens(tokens)))
        if whole:
            raw = stacked(self.inputs, list(whole.values()))
            outputs = self.network.from_inputs(standardised(self.inputs, raw))
            found.append((list(whole), outputs))
        return found
