"""From a trained model to what every way of answering gives, over real frames."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgestill.inference.joint import JointModel, Samples
from edgestill.inference.joint.inputs import standardised
from edgestill.inference.joint.ways import Ran, run_ways
from edgestill.jobs.benchmarks.eccentric import jpeg
from edgestill.jobs.benchmarks.eccentric.part import Measurement, Part

_BATCH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class _Split:
    """One split: its pictures as uint8 [n, C, H, W], and all ways of answering for them."""

    samples: Samples
    raw: NDArray[np.uint8]
    ran: Ran
    uncompressed: Tensor


@torch.no_grad()
def measured(
    task: str, seed: int, model: JointModel, validation: Samples, test: Samples
) -> Measurement:
    """Return what a model gives on both splits.

    Args:
        task: ``classification`` or ``detection``.
        seed: of the model.
        model: with a cloud; its inputs are pictures.
        validation: by which the setting of JPEG is chosen.
        test: what is judged.
    """
    first, second = _split(model, validation), _split(model, test)
    tried = [_tried(model, first, setting) for setting in jpeg.SETTINGS]
    uncompressed = model.family.task.score(first.uncompressed, validation.targets_n)
    setting = jpeg.smallest_enough(tried, uncompressed)
    return Measurement(
        task=task,
        seed=seed,
        cloud_flops=first.ran.cloud_flops[-1],
        temperature=model.temperatures.get("edge"),
        jpeg=setting,
        jpegs=tried,
        bare_jpeg_bytes=jpeg.without_tables(second.raw, setting),
        validation=_part(model, first, setting),
        test=_part(model, second, setting),
    )


def _split(model: JointModel, samples: Samples) -> _Split:
    raw = samples.raw(slice(None))[jpeg.KIND]
    return _Split(
        samples=samples,
        raw=raw,
        ran=run_ways(model, samples)["cloud"],
        uncompressed=_from_pictures(model, raw),
    )


def _tried(model: JointModel, split: _Split, setting: jpeg.Setting) -> jpeg.Tried:
    sent = jpeg.sent(split.raw, setting, model.codec.fingerprint)
    outputs = _from_pictures(model, sent.pictures)
    return jpeg.Tried(
        setting=setting,
        accuracy=model.family.task.score(outputs, split.samples.targets_n),
        bytes=float(sent.bytes_sent.mean()),
    )


def _part(model: JointModel, split: _Split, setting: jpeg.Setting) -> Part:
    """Return what every way gives on a split, whole inputs by a setting of JPEG."""
    task, targets = model.family.task, split.samples.targets_n
    sent = jpeg.sent(split.raw, setting, model.codec.fingerprint)
    ran = replace(
        split.ran,
        outputs=[*split.ran.outputs[:-1], _from_pictures(model, sent.pictures)],
        bytes_sent=[*split.ran.bytes_sent[:-1], sent.bytes_sent],
    )
    return Part(
        answers=ran.answers(task),
        outcomes=ran.outcomes(task, targets),
        cloud_accuracy=task.score(split.uncompressed, targets),
    )


def _from_pictures(model: JointModel, raw: NDArray[np.uint8]) -> Tensor:
    """Return the cloud's outputs for uint8 [n, C, H, W]."""
    outputs = []
    for start in range(0, len(raw), _BATCH):
        seen = standardised(model.family.inputs, {jpeg.KIND: raw[start : start + _BATCH]})
        outputs.append(model.heavier["cloud"].from_inputs(seen))
    return torch.cat(outputs)
