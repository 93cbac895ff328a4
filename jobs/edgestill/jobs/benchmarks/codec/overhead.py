"""Bytes on the wire against the model's own cross-entropy, by size of request."""

from dataclasses import dataclass

import torch

from edgestill.codec import HEADER_BYTES
from edgestill.codec.learned import FeatureCodec
from edgestill.jobs.benchmarks.codec.work import FEATURES, Scenario, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Requests of one size, coded by one codec.

    Attributes:
        model: name of the codec.
        rate: that was asked for.
        images: of a request.
        coded_bytes: mean of a request's frame, less its header of 24 bytes.
        ideal_bytes: mean cross-entropy of a request under the trained model, in floats.
        mean_squared_error: of the decoded tokens.
    """

    model: str
    seed: int
    rate: int
    images: int
    coded_bytes: float
    ideal_bytes: float
    mean_squared_error: float

    @property
    def overhead_bytes(self) -> float:
        """What a request takes beyond the cross-entropy."""
        return self.coded_bytes - self.ideal_bytes

    @property
    def overhead_ratio(self) -> float:
        """That, as a share of the cross-entropy."""
        return self.overhead_bytes / self.ideal_bytes


def sizes(
    name: str, codec: FeatureCodec, source: Source, scenario: Scenario, seed: int
) -> list[Size]:
    """Return the figures of each rate and size of request."""
    found = []
    for rate in range(codec.rates):
        for images in scenario.request_images:
            requests = max(1, scenario.images // images)
            totals = torch.tensor([_request(codec, source, images, rate) for _ in range(requests)])
            coded, ideal, error = totals.double().mean(0).tolist()
            found.append(
                Size(
                    model=name,
                    seed=seed,
                    rate=rate,
                    images=images,
                    coded_bytes=coded,
                    ideal_bytes=ideal,
                    mean_squared_error=error,
                )
            )
    return found


def _request(
    codec: FeatureCodec, source: Source, images: int, rate: int
) -> tuple[float, float, float]:
    tokens = source.images(images)
    with torch.no_grad():
        ideal_bits = float(codec(tokens, rate).bits_BN.double().sum())
    flat = tokens.reshape(-1, FEATURES)
    frame = codec.encode(flat, rate)
    error = float((codec.decode(frame) - flat).square().mean())
    return len(frame) - HEADER_BYTES, ideal_bits / 8, error
