"""What a trained pair of models gives on one split, as plain arrays: nothing below runs a model."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgestill.inference.gates import Answers
from edgestill.inference.tradeoffs import Outcomes
from edgestill.jobs.benchmarks.eccentric.jpeg import Setting, Tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """N inputs of a split.

    Attributes:
        answers: of the device.
        outcomes: of every way.
        cloud_accuracy: of the larger model on the inputs as they are, before any codec.
    """

    answers: Answers
    outcomes: Outcomes
    cloud_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One seed's models of a task, on both splits.

    Attributes:
        task: ``classification`` or ``detection``.
        cloud_flops: of the larger model for one input.
        temperature: that the device's probabilities are calibrated by; None for boxes.
        jpeg: setting of whole inputs, of the fewest bytes that leave the cloud its accuracy.
        jpegs: all that were tried.
        bare_jpeg_bytes: of the test part at that setting without tables, headers and frame.
        validation, test: by the first everything is chosen, on the second it is judged.
    """

    task: str
    seed: int
    cloud_flops: float
    temperature: float | None
    jpeg: Setting
    jpegs: Sequence[Tried]
    bare_jpeg_bytes: float
    validation: Part
    test: Part
