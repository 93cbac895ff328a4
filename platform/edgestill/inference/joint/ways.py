"""What every way of answering gives for the same samples: by real frames, each encoded and read.

Letters: n samples, N tokens, D features of a token.
"""

# Names end in shape letters.
# ruff: noqa: N803, N806

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from edgestill.codec import FrozenCodec
from edgestill.inference.answer import Tier
from edgestill.inference.detection import Detection, mean_average_precision
from edgestill.inference.gates import Answers
from edgestill.inference.gates.answers import Floats
from edgestill.inference.joint.inputs import input_frame, input_of_frame, stacked, standardised
from edgestill.inference.joint.model import JointModel
from edgestill.inference.joint.samples import Samples
from edgestill.inference.joint.task import Task
from edgestill.inference.tradeoffs import Choice, Outcomes, Places, Way

_CHUNK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """Each way's outputs and costs for n samples; the ways are edge, features at rate 0.., input.

    Attributes:
        outputs: of each way, float32 [n, ...].
        bytes_sent: of each way, [n], of the whole frame; 0 at the edge.
        edge_flops: of each way, on the device for one input.
        cloud_flops: of each way, in the cloud for one input.
    """

    outputs: Sequence[Tensor]
    bytes_sent: Sequence[Floats]
    edge_flops: Sequence[float]
    cloud_flops: Sequence[float]

    def answers(self, task: Task[Tensor]) -> Answers:
        """Return what a gate sees of the device's own outputs, by the calibrated task."""
        return task.answers(self.outputs[0])

    def scores(self, task: Task[Tensor], targets_n: Tensor) -> list[float]:
        """Return the figure of merit of each way, 0..1."""
        return [task.score(outputs, targets_n) for outputs in self.outputs]

    def outcomes(self, task: Task[Tensor], targets_n: Tensor) -> Outcomes:
        """Return what each way gives, as choices among ways need it."""
        ways = [self._way(place, task, targets_n) for place in range(len(self.outputs))]
        return Outcomes(
            edge=ways[0],
            features=ways[1:-1],
            whole_input=ways[-1],
            score=_score(task, self.outputs, targets_n),
            weights=task.weights(targets_n),
        )

    def _way(self, place: int, task: Task[Tensor], targets_n: Tensor) -> Way:
        last = len(self.outputs) - 1
        names = {0: "edge", last: "input"}
        return Way(
            kind="edge" if place == 0 else "input" if place == last else "features",
            name=names.get(place, f"features at rate {place - 1}"),
            right=task.right(self.outputs[place], targets_n),
            bytes_sent=self.bytes_sent[place],
            edge_flops=self.edge_flops[place],
            cloud_flops=self.cloud_flops[place],
        )


@torch.no_grad()
def run_ways(model: JointModel, samples: Samples) -> dict[Tier, Ran]:
    """Answer samples in every way, by each tier that the model has.

    Args:
        model: in evaluation mode.
        samples: n of them, at least one.

    Returns:
        by tier; the device's part is the same in all.
    """
    parts = [
        _chunk(model, samples, slice(start, min(start + _CHUNK, len(samples))))
        for start in range(0, len(samples), _CHUNK)
    ]
    sizes = [
        np.concatenate(sent) for sent in zip(*(part.bytes_sent for part in parts), strict=True)
    ]
    found = {}
    for tier in model.heavier:
        edge_flops, cloud_flops = _flops(model, samples, tier)
        outputs = zip(*(part.outputs[tier] for part in parts), strict=True)
        found[tier] = Ran(
            outputs=[torch.cat(way) for way in outputs],
            bytes_sent=sizes,
            edge_flops=edge_flops,
            cloud_flops=cloud_flops,
        )
    return found


def expected_bytes(ran: Ran) -> tuple[int, ...]:
    """Return the mean bytes of a frame at each rate and of the whole input, rounded up."""
    return tuple(int(np.ceil(sent.mean())) for sent in ran.bytes_sent[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Some samples: by tier each way's outputs, and each way's bytes."""

    outputs: Mapping[Tier, Sequence[Tensor]]
    bytes_sent: Sequence[Floats]


def _chunk(model: JointModel, samples: Samples, rows: slice) -> _Part:
    raw = samples.raw(rows)
    tokens_BND = model.edge.tokens(standardised(samples.inputs, raw))
    coded = [_coded(model.codec, tokens_BND, rate) for rate in range(model.codec.sizes.rates)]
    whole, whole_bytes = _sent_whole(model, raw, len(tokens_BND))
    own = model.edge.answer(tokens_BND)
    return _Part(
        outputs={
            tier: [
                own,
                *(heavier.from_tokens(decoded) for decoded, _ in coded),
                heavier.from_inputs(whole),
            ]
            for tier, heavier in model.heavier.items()
        },
        bytes_sent=[np.zeros(len(own)), *(sent for _, sent in coded), whole_bytes],
    )


def _coded(codec: FrozenCodec, tokens_BND: Tensor, rate: int) -> tuple[Tensor, Floats]:
    """Return tokens as their frames are decoded, and the frames' bytes."""
    frames = [codec.encode(tokens.numpy(), rate) for tokens in tokens_BND]
    decoded = np.stack([codec.decode(frame) for frame in frames])
    return torch.from_numpy(decoded), _lengths(frames)


def _sent_whole(
    model: JointModel, raw: Mapping[str, NDArray[Any]], count: int
) -> tuple[dict[str, Tensor], Floats]:
    """Return inputs as the cloud sees them after their frames, and the frames' bytes."""
    specs, mark = model.family.inputs, model.codec.fingerprint
    each = [{kind: values[place] for kind, values in raw.items()} for place in range(count)]
    frames = [input_frame(specs, one, mark) for one in each]
    read = stacked(specs, [input_of_frame(specs, frame, mark) for frame in frames])
    return standardised(specs, read), _lengths(frames)


def _lengths(frames: Sequence[bytes]) -> Floats:
    return np.array([len(frame) for frame in frames], np.float64)


def _flops(model: JointModel, samples: Samples, tier: Tier) -> tuple[list[float], list[float]]:
    """Return what each way takes for one input, on the device and in the cloud.

    What is coded is looked at first, so that a device's part holds its own answer too.
    """
    inputs, heavier = samples.seen(slice(0, 1)), model.heavier[tier]
    tokens_1ND = model.edge.tokens(inputs)
    own = _counted(lambda: model.edge.answer(model.edge.tokens(inputs)))
    coding = codec_flops(model.codec, tokens_1ND.shape[1])
    by_features = _counted(lambda: heavier.from_tokens(tokens_1ND))
    whole = _counted(lambda: heavier.from_inputs(inputs))
    rates = model.codec.sizes.rates
    edge = [own, *[own + coding["encode"]] * rates, own]
    return edge, [0.0, *[by_features + coding["decode"]] * rates, whole]


def codec_flops(codec: FrozenCodec, tokens: int) -> Mapping[str, float]:
    """Return the operations of a codec's layers for so many tokens; entropy coding is not counted.

    A multiply-add counts two. Of layers that each rate has for itself one is counted.
    """
    arrays = codec.to_arrays()
    layers = {name: array.size for name, array in arrays.items() if name.endswith(".weight")}
    own = {
        name: array.size
        for name, array in arrays.items()
        if name.startswith("encoder.") and array.ndim >= 2 and not name.endswith("gains")
    }
    hyper = sum(size for name, size in layers.items() if not name.startswith("transform."))
    transform = max(
        (size for name, size in layers.items() if name.startswith("transform.")), default=0
    )
    # The sender also runs what predicts the latents.
    return {
        "encode": 2.0 * tokens * (sum(own.values()) + hyper),
        "decode": 2.0 * tokens * (transform + hyper),
    }


def _counted(run: Callable[[], Tensor]) -> float:
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


def _score(
    task: Task[Tensor], outputs: Sequence[Tensor], targets_n: Tensor
) -> Callable[[Choice, Places], float] | None:
    """Return the figure of merit of a choice, where it is no mean over samples."""
    if not isinstance(task, Detection):
        return None
    matched = [task.matched(one, targets_n) for one in outputs]
    return lambda chosen, places: mean_average_precision(
        [matched[chosen[place]][place] for place in places]
    )
