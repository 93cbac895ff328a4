"""What the worker processes do: one coding under one seed, trained and scored by real bytes."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.codec.learned import FeatureCodec
from edgestill.inference.split import (
    AnswerHead,
    Asked,
    Plan,
    fit_jointly,
    merged_tokens,
    train_codec,
)
from edgestill.inference.split.scenes import Accuracy, Part, accuracy, part
from edgestill.jobs.benchmarks.tofc.models import MERGING, asked_of, model, parts
from edgestill.jobs.benchmarks.tofc.pictures import compressed, restored
from edgestill.jobs.benchmarks.tofc.plan import (
    Amount,
    Coding,
    ImageCoding,
    PlainCoding,
    TokenCoding,
)
from edgestill.seeds import derive_seed

_TUNING_RATE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A coding under a seed, and the folder of the seed's model."""

    seed: int
    coding: Coding
    amount: Amount
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A coding as measured: bytes are the mean over scenes of all that is sent, header included.

    Attributes:
        accuracy, bytes: on the test part.
        validation_accuracy, validation_bytes: by which points are chosen.
    """

    seed: int
    coding: Coding
    accuracy: float
    own_accuracy: float
    relational_accuracy: float
    bytes: float
    validation_accuracy: float
    validation_bytes: float


def measure_coding(job: Job) -> Point:
    """Train what the coding needs and score it."""
    torch.manual_seed(derive_seed(job.seed, f"tofc/{job.coding}"))
    if isinstance(job.coding, TokenCoding):
        return _learned(job, job.coding)
    if isinstance(job.coding, PlainCoding):
        return _plain(job, job.coding)
    return _pictures(job, job.coding)


def _parts(job: Job) -> tuple[tuple[str, Part], tuple[str, Part]]:
    return (
        ("validation", part("validation", job.amount.validated)),
        ("test", part("test", job.amount.tested)),
    )


def _learned(job: Job, coding: TokenCoding) -> Point:
    codec, head = trained_codec(job, coding)
    scored = []
    for split, scenes in _parts(job):
        asked = asked_of(split, scenes, coding.merging, job.seed, job.folder)
        frames = [codec.encode(tokens) for tokens in asked.tokens_nND]
        decoded = torch.stack([codec.decode(frame) for frame in frames])
        scored.append(_scored(head, replace(asked, tokens_nND=decoded), frames))
    return _point(job, *scored)


def trained_codec(job: Job, coding: TokenCoding) -> tuple[FeatureCodec, AnswerHead]:
    """Return a codec, frozen, and the head that was trained with it, from the seed's model."""
    _, head = model(job.seed, job.folder)
    public = part("public", job.amount.scenes)
    asked = asked_of("public", public, coding.merging, job.seed, job.folder)
    return train_codec(
        head,
        asked,
        experts=coding.experts,
        rate_weight=coding.rate_weight,
        epochs=job.amount.codec_epochs,
        seed=job.seed,
    )


def _plain(job: Job, coding: PlainCoding) -> Point:
    _, head = model(job.seed, job.folder)
    scored = []
    for split, scenes in _parts(job):
        asked = asked_of(split, scenes, coding.merging, job.seed, job.folder)
        frames = [
            encode_arrays({"": tokens.numpy()}, bits=coding.bits, fingerprint=job.seed)
            for tokens in asked.tokens_nND
        ]
        decoded = np.stack([decode_arrays(frame, fingerprint=job.seed)[""] for frame in frames])
        scored.append(_scored(head, replace(asked, tokens_nND=torch.from_numpy(decoded)), frames))
    return _point(job, *scored)


def _pictures(job: Job, coding: ImageCoding) -> Point:
    encoder, head, scene_head = parts(job.seed, job.folder)
    if coding.tuned:
        public = part("public", job.amount.scenes)
        count = job.amount.tuned_scenes
        seen, _ = _sent(public, coding, count)
        epochs = job.amount.tuned_epochs
        plan = Plan(epochs=epochs, learning_rate=_TUNING_RATE, seed=job.seed)
        asked = public.asked(torch.empty(0))
        fit_jointly(encoder, head, scene_head, MERGING, seen.pictures, asked, public.objects, plan)
    scored = []
    for _, scenes in _parts(job):
        seen, frames = _sent(scenes, coding, len(scenes.pictures))
        tokens = merged_tokens(encoder, MERGING, seen.pictures)
        scored.append(_scored(head, scenes.asked(tokens), frames))
    return _point(job, *scored)


def _sent(scenes: Part, coding: ImageCoding, count: int) -> tuple[Part, list[bytes]]:
    """Return the first scenes as the server sees them, and what was sent."""
    files = [compressed(pixels, coding) for pixels in scenes.pictures.pixels[:count]]
    pictures = replace(scenes.pictures, pixels=np.stack([restored(one) for one in files]))
    return replace(scenes, pictures=pictures), files


def _scored(head: AnswerHead, asked: Asked, sent: list[bytes]) -> tuple[Accuracy, float]:
    return accuracy(head, asked), sum(map(len, sent)) / len(sent)


def _point(job: Job, validation: tuple[Accuracy, float], test: tuple[Accuracy, float]) -> Point:
    return Point(
        seed=job.seed,
        coding=job.coding,
        accuracy=test[0].every,
        own_accuracy=test[0].own,
        relational_accuracy=test[0].relational,
        bytes=test[1],
        validation_accuracy=validation[0].every,
        validation_bytes=validation[1],
    )
