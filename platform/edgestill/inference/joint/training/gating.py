"""The gate of a trained model: temperatures and a threshold, found on validation data."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from torch import Tensor

from edgestill.config.joint import GateConfig
from edgestill.inference.answer import Tier
from edgestill.inference.gates import curve, fitted_temperature, for_accuracy, for_offload_rate
from edgestill.inference.gates import for_recall as threshold_for_recall
from edgestill.inference.gates.calibrate import Curve
from edgestill.inference.joint.classification import Classification
from edgestill.inference.joint.model import Gate, JointModel
from edgestill.inference.joint.samples import Samples
from edgestill.inference.joint.task import Task
from edgestill.inference.joint.ways import Ran, expected_bytes, run_ways

_FOG_KEPT = 0.99
"""Of the cloud's accuracy, on what a fog answers by itself or hands on."""

_USUAL = {True: "least_confidence", False: "box_variance"}
"""Rule of a classification, and of a detection."""


def calibrate(model: JointModel, validation: Samples, wanted: GateConfig) -> JointModel:
    """Return a model with its bytes, its temperatures and its gate as validation data show them.

    Args:
        model: whose gate, temperatures and bytes are not looked at.
        validation: that nothing was trained on.
        wanted: by what the gate's threshold is found; it hands on by features at the finest rate.
    """
    ran = run_ways(model, validation)
    temperatures = _temperatures(model.family.task, ran, validation.targets_n)
    sizes = expected_bytes(ran["cloud"])
    model = replace(model, temperatures=temperatures, bytes_by_rate=sizes)
    rule = wanted.rule or _USUAL[isinstance(model.family.task, Classification)]
    gate = Gate(rule=rule, threshold=float("inf"))
    threshold = _threshold(model, gate, ran["cloud"], validation, wanted)
    # Hardness is in 0..1, so that 1 hands nothing on; JSON has no infinity.
    model = replace(model, gate=replace(gate, threshold=float(np.clip(threshold, -1.0, 1.0))))
    return replace(model, fog_doubt=_fog_doubt(model, ran, validation)) if "fog" in ran else model


def _threshold(
    model: JointModel, gate: Gate, ran: Ran, validation: Samples, wanted: GateConfig
) -> float:
    task = model.task("edge")
    hardness = gate.hardness(ran.answers(task))
    edge, features, whole = (
        task.right(ran.outputs[way], validation.targets_n) for way in (0, -2, -1)
    )
    if wanted.wanted == "recall":
        own = validation.watched_n
        return threshold_for_recall(curve(hardness[own], edge[own], features[own]), wanted.value)
    weights = task.weights(validation.targets_n)
    counted = np.ones(len(edge)) if weights is None else weights
    found = curve(hardness, counted * edge, counted * features)
    if wanted.wanted == "offload_rate":
        return for_offload_rate(found, wanted.value)
    return _for_share_of_cloud(found, wanted.value * float((counted * whole).mean()))


def _fog_doubt(model: JointModel, ran: Mapping[Tier, Ran], validation: Samples) -> float:
    """Return the doubt above which a fog hands on what the device's gate handed to it."""
    task = model.task("fog")
    handed = model.gate.hardness(ran["cloud"].answers(model.task("edge"))) > model.gate.threshold
    # A gate that hands nothing on leaves nothing to learn from but all inputs.
    own = handed if handed.any() else np.ones_like(handed)
    fog, cloud = (ran[tier].outputs[-2] for tier in ("fog", "cloud"))
    doubts = np.array([1.0 - answer.confidence for answer in task.told(fog, "fog")])
    right = [task.right(outputs, validation.targets_n)[own] for outputs in (fog, cloud)]
    found = _for_share_of_cloud(curve(doubts[own], *right), _FOG_KEPT * float(right[1].mean()))
    return float(np.clip(found, 0.0, 1.0))


def _for_share_of_cloud(found: Curve, accuracy: float) -> float:
    """Return the threshold for an accuracy, or for the best there is if it is out of reach."""
    return for_accuracy(found, min(accuracy, float(found.accuracies.max())))


def _temperatures(task: Task[Tensor], ran: dict[Tier, Ran], targets_n: Tensor) -> dict[str, float]:
    """Return each tier's temperature; of a heavier one by what it says of whole inputs."""
    if not isinstance(task, Classification):
        return {}
    outputs = {
        "edge": ran["cloud"].outputs[0],
        **{tier: one.outputs[-1] for tier, one in ran.items()},
    }
    labels = np.asarray(targets_n)
    return {tier: fitted_temperature(one.numpy(), labels) for tier, one in outputs.items()}
