"""All that is found out about one seed's models, as figures on the test part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgestill.inference.tradeoffs import Point, point
from edgestill.jobs.benchmarks.eccentric import deadlines, fronts, gates
from edgestill.jobs.benchmarks.eccentric.jpeg import Setting, Tried
from edgestill.jobs.benchmarks.eccentric.part import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One task under one seed.

    Attributes:
        cloud_accuracy: of the larger model on the pictures as they are.
        cloud_flops: of the larger model for one input.
        ways: each way for all inputs, the device alone first and the whole input last.
        jpeg, jpegs, bare_jpeg_bytes: as in :class:`Measurement`.
        fronts: the three architectures.
        gates: every gate.
        deadlines: the deadline-aware gate over several links.
        seconds: that training and measuring took.
    """

    task: str
    seed: int
    cloud_accuracy: float
    cloud_flops: float
    ways: Sequence[Point]
    jpeg: Setting
    jpegs: Sequence[Tried]
    bare_jpeg_bytes: float
    fronts: fronts.FrontStudy
    gates: gates.GateStudy
    deadlines: Sequence[deadlines.InTime]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a point saves and keeps, as shares.

    Attributes:
        edge_flops: of the larger model's, if that ran at the edge.
        bytes: of every input as JPEG.
        bare_bytes: of every input as JPEG whose tables both ends hold.
        accuracy_kept: of the cloud's.
    """

    edge_flops: float
    bytes: float
    bare_bytes: float
    accuracy_kept: float


def saved(found: Finding, one: Point) -> Saved:
    """Return what a point of the finding's test part saves and keeps."""
    return Saved(
        edge_flops=1.0 - one.edge_flops / found.cloud_flops,
        bytes=1.0 - one.bytes_sent / found.ways[-1].bytes_sent,
        bare_bytes=1.0 - one.bytes_sent / found.bare_jpeg_bytes,
        accuracy_kept=one.right / found.cloud_accuracy,
    )


def analysed(measured: Measurement, *, seconds: float) -> Finding:
    """Return the figures on the test part."""
    test, rules = measured.test, gates.rules(measured)
    best = rules.by_name[rules.best]
    return Finding(
        task=measured.task,
        seed=measured.seed,
        cloud_accuracy=test.cloud_accuracy,
        cloud_flops=measured.cloud_flops,
        ways=[
            point(way.name, test.outcomes, np.full(len(way.right), place))
            for place, way in enumerate(test.outcomes.ways)
        ],
        jpeg=measured.jpeg,
        jpegs=measured.jpegs,
        bare_jpeg_bytes=measured.bare_jpeg_bytes,
        fronts=fronts.study(measured, best),
        gates=gates.study(measured, rules),
        deadlines=deadlines.study(measured, best),
        seconds=seconds,
    )
