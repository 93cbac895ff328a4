"""Every gate's curve of accuracy against offload rate, and the best of ours beside Sedna's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgestill.inference.gates import (
    Answers,
    BudgetedGate,
    Hardness,
    at_random,
    box_variance,
    calibrated,
    curve,
    detected,
    for_offload_rate,
    learn_hardness,
    least_confidence,
    mean_box_doubt,
    normalised_entropy,
    oracle,
    smallest_margin,
    unsure_boxes,
)
from edgestill.inference.gates.answers import Floats
from edgestill.inference.tradeoffs import Outcomes, gate_curve, point
from edgestill.jobs.benchmarks.eccentric import sedna
from edgestill.jobs.benchmarks.eccentric.part import Measurement, Part

RATES = tuple(np.linspace(0.0, 1.0, 21).tolist())
RANDOM, ORACLE, BUDGETED = "random", "oracle", "budgeted"
TOLD_SCORE = 0.3
"""Boxes below it are kept back: from people, and from the gates of Sedna's kind."""

WINDOW = 50
"""Inputs over which the budgeted gate keeps its share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SednaPoint:
    """One of Sedna's gates, and our best at the same offload rate."""

    name: str
    offload_rate: float
    accuracy: float
    ours: float

    @property
    def difference(self) -> float:
        """Ours minus Sedna's."""
        return self.ours - self.accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class GateStudy:
    """Gates that hand on the whole input, on the test part.

    Attributes:
        curves: by gate, the accuracy at each of :data:`RATES`.
        validation_areas: by gate, see :class:`Rules`.
        best: of those that a device can have, by validation.
        sedna: its gates at their own thresholds.
    """

    curves: Mapping[str, Sequence[float]]
    validation_areas: Mapping[str, float]
    best: str
    sedna: Sequence[SednaPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The gates that a device can have, what they learn learned on validation data.

    Attributes:
        by_name: each gate's hardness.
        areas: the mean accuracy of each over rates up to one half on validation data; beyond it
            nearly all that can be mended is.
    """

    by_name: Mapping[str, Hardness]
    areas: Mapping[str, float]

    @property
    def best(self) -> str:
        """The name of the greatest area."""
        return max(self.areas, key=lambda name: self.areas[name])


def rules(measured: Measurement) -> Rules:
    """Return the gates of a seed's model."""
    part, by_name = measured.validation, _rules(measured)
    areas = {
        name: float(np.mean(_curve(part.outcomes, rule(part.answers))[: len(RATES) // 2 + 1]))
        for name, rule in by_name.items()
    }
    return Rules(by_name=by_name, areas=areas)


def told(answers: Answers) -> Answers:
    """Return the answers as people are told them: of boxes only the confident ones."""
    if answers.scores is None:
        return answers
    return detected([row[row >= TOLD_SCORE] for row in answers.scores])


def study(measured: Measurement, found: Rules) -> GateStudy:
    """Return every gate's curve on the test part."""
    test, best = measured.test, found.best
    values = {name: rule(test.answers) for name, rule in found.by_name.items()}
    values[RANDOM] = at_random(measured.seed)(test.answers)
    shares = test.outcomes.shares_WN()
    values[ORACLE] = oracle(shares[0], shares[-1])
    curves = {name: _curve(test.outcomes, hard) for name, hard in values.items()}
    curves[BUDGETED] = _budgeted(measured, found.by_name[best])
    gates = sedna.CLASSIFICATION if measured.temperature is not None else sedna.DETECTION
    return GateStudy(
        curves=curves,
        validation_areas=found.areas,
        best=best,
        sedna=[_beside(name, gate, test, values[best]) for name, gate in gates.items()],
    )


def plain(found: GateStudy) -> dict[str, Any]:
    """Return values that JSON has."""
    return {
        "offload_rates": list(RATES),
        "accuracy_by_gate": {name: list(curve) for name, curve in found.curves.items()},
        "validation_mean_accuracy_by_gate": dict(found.validation_areas),
        "best_by_validation": found.best,
        "sedna": [
            {
                "gate": one.name,
                "offload_rate": one.offload_rate,
                "accuracy": one.accuracy,
                "ours_accuracy": one.ours,
            }
            for one in found.sedna
        ],
    }


def _of_told(rule: Hardness) -> Hardness:
    return lambda answers: rule(told(answers))


def _rules(measured: Measurement) -> dict[str, Hardness]:
    part = measured.validation
    shares = part.outcomes.shares_WN()
    learned = learn_hardness(part.answers, shares[0], shares[-1])
    if measured.temperature is None:
        return {
            "IBT 0.5": _of_told(unsure_boxes(0.5)),
            "IBT 0.9": _of_told(unsure_boxes(0.9)),
            "mean box doubt": _of_told(mean_box_doubt),
            "box variance": box_variance,
            "learned": learned,
        }
    return {
        "maximum probability": least_confidence,
        "normalised entropy": normalised_entropy,
        "margin": smallest_margin,
        "temperature-calibrated": calibrated(measured.temperature),
        "learned": learned,
    }


def _curve(outcomes: Outcomes, hardness: Floats) -> list[float]:
    points = gate_curve(outcomes, len(outcomes.ways) - 1, hardness, RATES)
    return [one.right for one in points]


def _beside(name: str, gate: sedna.Gate, test: Part, hardness: Floats) -> SednaPoint:
    hard, place = gate(told(test.answers)), len(test.outcomes.ways) - 1
    theirs = point(name, test.outcomes, np.where(hard, place, 0))
    (ours,) = gate_curve(test.outcomes, place, hardness, [theirs.offload_rate])
    return SednaPoint(
        name=name, offload_rate=theirs.offload_rate, accuracy=theirs.right, ours=ours.right
    )


def _budgeted(measured: Measurement, rule: Hardness) -> list[float]:
    """Return what the best gate reaches if no window of inputs may offload more than the rate."""
    validation, test = measured.validation, measured.test
    hard, place = rule(validation.answers), len(test.outcomes.ways) - 1
    edge, cloud = validation.outcomes.edge.right, validation.outcomes.whole_input.right
    found, values = curve(hard, edge, cloud), rule(test.answers)
    accuracies = []
    for rate in RATES:
        gate = BudgetedGate(
            threshold=for_offload_rate(found, rate), window_s=float(WINDOW), share=rate
        )
        sent = [gate.decide(value, 1, float(now)) for now, value in enumerate(values.tolist())]
        accuracies.append(point(BUDGETED, test.outcomes, np.where(sent, place, 0)).right)
    return accuracies
