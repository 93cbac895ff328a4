"""End-to-end time of one request: device, link, server. One thread of this machine for both ends.

Both ends are timed on the same processor, since there is no weaker one to be had: the device's part
is what it computes, not how fast a given device would be.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from edgestill.inference.split import DeviceHalf, ServerHalf
from edgestill.inference.split.scenes import part
from edgestill.jobs.benchmarks.tofc.models import MERGING, model
from edgestill.jobs.benchmarks.tofc.pictures import compressed, restored
from edgestill.jobs.benchmarks.tofc.plan import ImageCoding, TokenCoding
from edgestill.jobs.benchmarks.tofc.tasks import Job, trained_codec

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Milliseconds of a request, medians, and the mean bytes that it sends."""

    device_ms: float
    server_ms: float
    bytes: float

    def total_ms(self, bandwidth_bytes_per_s: float) -> float:
        """Return device + transmission + server (Yuan et al., IEEE TMC 2026)."""
        return self.device_ms + 1e3 * self.bytes / bandwidth_bytes_per_s + self.server_ms


def split_parts(job: Job, coding: TokenCoding, requests: int) -> Parts:
    """Return the parts of TOFC: tokens are sent."""
    encoder, _ = model(job.seed, job.folder)
    codec, head = trained_codec(job, coding)
    frozen = codec.freeze()
    test = part("test", job.amount.tested)
    scale, offset = test.pictures.scale, test.pictures.offset
    device = DeviceHalf(
        encoder=encoder, merging=coding.merging, codec=frozen, scale=scale, offset=offset
    )
    server = ServerHalf(codec=frozen, head=head)
    return _timed(job, device.frame, server.answers, requests)


def picture_parts(job: Job, coding: ImageCoding, requests: int) -> Parts:
    """Return the parts of an image codec: the picture is sent, the whole model is the server's."""
    encoder, head = model(job.seed, job.folder)
    test = part("test", job.amount.tested)
    scale, offset = test.pictures.scale, test.pictures.offset

    @torch.no_grad()
    def answers(content: bytes, questions: Pixels) -> NDArray[np.int64]:
        seen = torch.from_numpy(restored(content).astype(np.float32)) * scale + offset
        asked = torch.from_numpy(questions.astype(np.float32)).unsqueeze(0)
        tokens = MERGING(encoder(seen.unsqueeze(0)))
        chosen: NDArray[np.int64] = head(tokens, asked)[0].argmax(-1).numpy()
        return chosen

    return _timed(job, lambda image: compressed(image, coding), answers, requests)


def _timed(
    job: Job,
    send: Callable[[Pixels], bytes],
    answer: Callable[[bytes, Pixels], NDArray[np.int64]],
    requests: int,
) -> Parts:
    """Time requests one by one; each asks one question of a scene."""
    test = part("test", job.amount.tested)
    device_s, server_s, sizes = [], [], []
    for row in range(min(requests, len(test.pictures))):
        question = test.questions[row, row % test.questions.shape[1]].byte().numpy()
        began = time.perf_counter()
        content = send(test.pictures.pixels[row])
        sent = time.perf_counter()
        answer(content, question[None])
        server_s.append(time.perf_counter() - sent)
        device_s.append(sent - began)
        sizes.append(len(content))
    return Parts(
        device_ms=1e3 * statistics.median(device_s),
        server_ms=1e3 * statistics.median(server_s),
        bytes=statistics.fmean(sizes),
    )
