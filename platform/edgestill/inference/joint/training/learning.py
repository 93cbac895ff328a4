"""The networks by themselves: the cloud's from labels, the device's also from the cloud."""

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn
from torch.nn import functional

from edgestill.inference.detection import Detection
from edgestill.inference.joint.classification import Classification
from edgestill.inference.joint.networks import CloudNetwork, EdgeNetwork
from edgestill.inference.joint.samples import Samples
from edgestill.inference.joint.task import Task
from edgestill.inference.joint.training.steps import chunked, faster, fit
from edgestill.inference.one_cycle import Plan, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What a trained cloud makes of n public inputs, run once.

    Attributes:
        outputs: float32 [n, ...].
        features: bfloat16 [n, ...], as its own network passes them on.
    """

    outputs: Tensor
    features: Tensor


def fit_cloud(network: CloudNetwork, task: Task[Tensor], public: Samples, plan: Plan) -> None:
    """Train a cloud's or a fog's network by the task's loss."""

    def step(rows: Rows, progress: float) -> Tensor:
        del progress
        with faster():
            outputs = network.answer(network.features(public.seen(rows)))
        return task.loss(outputs.float(), public.targets_n[rows])

    fit([network], len(public), plan, step)


def lessons_of(network: CloudNetwork, public: Samples) -> Lessons:
    """Return what a trained network makes of public inputs."""
    network.eval()
    with faster():
        features = chunked(len(public), lambda rows: network.features(public.seen(rows)).bfloat16())
        outputs = chunked(len(public), lambda rows: network.answer(features[rows]).float())
    return Lessons(outputs=outputs, features=features)


def fit_edge(
    network: EdgeNetwork,
    task: Task[Tensor],
    public: Samples,
    lessons: Lessons,
    plan: Plan,
    *,
    share: float,
    adapter: nn.Module | None = None,
    feature_weight: float = 0.0,
) -> None:
    """Train a device's network with knowledge distillation from the cloud.

    The loss is (1 - share) * task + share * distance to the cloud's outputs (Hinton, Vinyals &
    Dean, "Distilling the Knowledge in a Neural Network", 2015) + feature_weight * distance of the
    adapted tokens to the cloud's features.

    Args:
        network: trained further from where it is.
        task: whose loss.
        public: n samples.
        lessons: what the cloud makes of them.
        plan: how.
        share: of the cloud's outputs, 0..1.
        adapter: from tokens to the cloud's features, trained along so that tokens keep what the
            cloud needs; None leaves the last term out.
        feature_weight: of the last term.
    """

    def step(rows: Rows, progress: float) -> Tensor:
        del progress
        with faster():
            tokens = network.tokens(public.seen(rows))
            outputs = network.answer(tokens)
            features = None if adapter is None else adapter(tokens)
        outputs = outputs.float()
        own = task.loss(outputs, public.targets_n[rows])
        loss = (1.0 - share) * own + share * task.distillation(outputs, lessons.outputs[rows])
        if features is not None:
            loss = loss + feature_weight * feature_distance(features, lessons.features[rows])
        return loss

    fit([network] if adapter is None else [network, adapter], len(public), plan, step)


def feature_distance(features: Tensor, wanted: Tensor) -> Tensor:
    """Return the L1 distance of features [B, ...] that are L2-normalised for each input, 0..2.

    As in knowledge translation and adaptation (He et al., "Knowledge Adaptation for Efficient
    Semantic Segmentation", CVPR 2019, eq. 3, p = 1 and q = 2), over the square root of their
    number, which is the most that it can be of two unit vectors up to a factor of two.
    """
    first, second = (
        functional.normalize(one.flatten(1).float(), dim=1) for one in (features, wanted)
    )
    distance: Tensor = (first - second).abs().sum(dim=1).mean() / np.sqrt(first.shape[1])
    return distance


def boosted(task: Task[Tensor], classes: tuple[int, ...], weight: float) -> Task[Tensor]:
    """Return a task whose loss minds misses more: recall boosting.

    Args:
        task: of the device.
        classes: that must not be missed; of a detection every object is meant.
        weight: how many times their loss counts.
    """
    if isinstance(task, Classification) and classes:
        return task.boosted(classes, weight)
    if isinstance(task, Detection):
        return replace(task, positive_weight=weight)
    return task
