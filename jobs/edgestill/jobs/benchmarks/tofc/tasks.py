"""What the worker processes do: one coding under one seed, trained and scored by real bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from edgestill.codec import decode_arrays, encode_arrays
from edgestill.inference.split import (
    AnswerHead,
    Asked,
    DeviceHalf,
    Plan,
    ServerHalf,
    fit_jointly,
    merged_tokens,
    save_halves,
    train_codec,
)
from edgestill.inference.split.scenes import Accuracy, Part, accuracy, part
from edgestill.jobs.benchmarks.tofc.models import MERGING, asked_of, model, parts
from edgestill.jobs.benchmarks.tofc.plan import (
    Amount,
    Coding,
    ImageCoding,
    PlainCoding,
    TokenCoding,
)
from edgestill.jobs.benchmarks.tofc.sent import Sending, sent
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


def halves_folder(job: Job, coding: TokenCoding) -> Path:
    """Return where the halves of a learned coding are kept once it has been measured."""
    merging = f"{coding.merging.method}{coding.merging.count}"
    return job.folder / f"halves{job.seed}-{merging}-{coding.experts}-{coding.rate_weight:g}"


def _parts(job: Job) -> tuple[tuple[str, Part], tuple[str, Part]]:
    return (
        ("validation", part("validation", job.amount.validated)),
        ("test", part("test", job.amount.tested)),
    )


def _learned(job: Job, coding: TokenCoding) -> Point:
    device, server = _trained_halves(job, coding)
    save_halves(halves_folder(job, coding), device, server)
    scored = []
    for split, scenes in _parts(job):
        asked = asked_of(split, scenes, coding.merging, job.seed, job.folder)
        frames = [device.codec.encode(tokens.numpy()) for tokens in asked.tokens_nND]
        decoded = np.stack([server.codec.decode(frame) for frame in frames])
        received = replace(asked, tokens_nND=torch.from_numpy(decoded))
        scored.append(_scored(server.head, received, [len(frame) for frame in frames]))
    return _point(job, *scored)


def _trained_halves(job: Job, coding: TokenCoding) -> tuple[DeviceHalf, ServerHalf]:
    """Train a codec, and with it the head, from the seed's model."""
    encoder, head = model(job.seed, job.folder)
    public = part("public", job.amount.scenes)
    codec, head = train_codec(
        head,
        asked_of("public", public, coding.merging, job.seed, job.folder),
        experts=coding.experts,
        rate_weight=coding.rate_weight,
        epochs=job.amount.codec_epochs,
        seed=job.seed,
    )
    frozen = codec.freeze()
    scale, offset = public.pictures.scale, public.pictures.offset
    device = DeviceHalf(
        encoder=encoder, merging=coding.merging, codec=frozen, scale=scale, offset=offset
    )
    return device, ServerHalf(codec=frozen, head=head)


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
        received = replace(asked, tokens_nND=torch.from_numpy(decoded))
        scored.append(_scored(head, received, [len(frame) for frame in frames]))
    return _point(job, *scored)


def _pictures(job: Job, coding: ImageCoding) -> Point:
    encoder, head, scene_head = parts(job.seed, job.folder)
    if coding.tuned:
        seen, _ = sent(_sending(job, coding, "public", job.amount.tuned_scenes))
        epochs = job.amount.tuned_epochs
        plan = Plan(epochs=epochs, learning_rate=_TUNING_RATE, seed=job.seed)
        asked = seen.asked(torch.empty(0))
        fit_jointly(encoder, head, scene_head, MERGING, seen.pictures, asked, seen.objects, plan)
    scored = []
    for split, scenes in _parts(job):
        seen, sizes = sent(_sending(job, coding, split, len(scenes.pictures)))
        tokens = merged_tokens(encoder, MERGING, seen.pictures)
        scored.append(_scored(head, scenes.asked(tokens), sizes.tolist()))
    return _point(job, *scored)


def _sending(job: Job, coding: ImageCoding, split: str, count: int) -> Sending:
    return Sending(split=split, count=count, coding=coding, folder=job.folder)


def _scored(head: AnswerHead, asked: Asked, sizes: Sequence[int]) -> tuple[Accuracy, float]:
    return accuracy(head, asked), sum(sizes) / len(sizes)


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
