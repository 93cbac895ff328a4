"""End-to-end time of one request: device, link, server. One thread of this machine for both ends.

Both ends are timed on the same processor, since there is no weaker one to be had: the device's part
is what it computes, not how fast a given device would be. The ways to send take turns, request by
request, so that whatever else the machine does meets them alike.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edgestill.inference.split import load_halves
from edgestill.inference.split.scenes import part
from edgestill.jobs.benchmarks.tofc.models import MERGING, model
from edgestill.jobs.benchmarks.tofc.pictures import compressed, restored
from edgestill.jobs.benchmarks.tofc.plan import ImageCoding
from edgestill.jobs.benchmarks.tofc.tasks import Job

Pixels = NDArray[np.uint8]
WARM_UP = 5
"""Requests before any is timed: a thread's first calls take memory and choose kernels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Milliseconds of a request, medians, and the mean bytes that it sends."""

    device_ms: float
    server_ms: float
    bytes: float

    def total_ms(self, bandwidth_bytes_per_s: float) -> float:
        """Return device + transmission + server (Yuan et al., IEEE TMC 2026)."""
        return self.device_ms + 1e3 * self.bytes / bandwidth_bytes_per_s + self.server_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A device's half and a server's: a picture into bytes, bytes and questions into answers."""

    send: Callable[[Pixels], bytes]
    answer: Callable[[bytes, Pixels], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """Seconds and bytes of the requests so far."""

    device_s: list[float] = field(default_factory=list)
    server_s: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def parts(self) -> Parts:
        return Parts(
            device_ms=1e3 * statistics.median(self.device_s[WARM_UP:]),
            server_ms=1e3 * statistics.median(self.server_s[WARM_UP:]),
            bytes=statistics.fmean(self.sizes[WARM_UP:]),
        )


def token_way(folder: Path) -> Way:
    """Return TOFC as its halves in a folder have it: tokens are sent."""
    device, server = load_halves(folder)
    return Way(send=device.frame, answer=server.answers)


def picture_way(job: Job, coding: ImageCoding) -> Way:
    """Return an image codec: the picture is sent, the whole model is the server's."""
    encoder, head = model(job.seed, job.folder)
    pictures = part("test", job.amount.tested).pictures

    @torch.no_grad()
    def answer(content: bytes, questions: Pixels) -> NDArray[np.int64]:
        seen = torch.from_numpy(restored(content).astype(np.float32))
        seen = seen * pictures.scale + pictures.offset
        asked = torch.from_numpy(questions.astype(np.float32)).unsqueeze(0)
        tokens = MERGING(encoder(seen.unsqueeze(0)))
        chosen: NDArray[np.int64] = head(tokens, asked)[0].argmax(-1).numpy()
        return chosen

    return Way(send=lambda image: compressed(image, coding), answer=answer)


def timed(ways: Mapping[str, Way], tested: int, requests: int) -> dict[str, Parts]:
    """Return the parts of each way: all take the same requests, each one question of a scene.

    Args:
        ways: by name.
        tested: scenes of the test part that requests go round.
        requests: that are timed.
    """
    test = part("test", tested)
    times = {name: _Times() for name in ways}
    for number in range(WARM_UP + requests):
        row = number % tested
        question = test.questions[row, row % test.questions.shape[1]].byte().numpy()
        for name, way in ways.items():
            _request(way, test.pictures.pixels[row], question[None], times[name])
    return {name: one.parts() for name, one in times.items()}


def _request(way: Way, pixels: Pixels, questions: Pixels, times: _Times) -> None:
    began = time.perf_counter()
    content = way.send(pixels)
    sent = time.perf_counter()
    way.answer(content, questions)
    times.server_s.append(time.perf_counter() - sent)
    times.device_s.append(sent - began)
    times.sizes.append(len(content))
