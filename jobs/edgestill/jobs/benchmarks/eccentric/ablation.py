"""What each part of the training brings: the same models without it, and with recall boosted."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from edgestill.inference.joint import (
    EdgeNetwork,
    Family,
    Heavier,
    JointModel,
    load_cloud,
    load_edge,
)
from edgestill.inference.joint.training import (
    Lessons,
    Plan,
    Sets,
    adapted_model,
    boosted,
    fit_edge,
    lessons_of,
)
from edgestill.inference.joint.training.steps import chunked
from edgestill.inference.joint.ways import run_ways
from edgestill.jobs.benchmarks.eccentric.findings import Finding
from edgestill.jobs.benchmarks.eccentric.plan import CLASSIFICATION
from edgestill.jobs.benchmarks.eccentric.studies import Study, configuration, material
from edgestill.seeds import derive_seed

WHOLE = "all parts"
NO_DISTILLATION = "edge without distillation"
NO_FEATURE_TERM = "adaptation without the feature term"
NO_ANSWER_TERM = "adaptation without the cloud's answers"
OWN_TAIL = "adaptation with the cloud's own tail"
BOOSTED = "recall boosted"
VARIANTS = (WHOLE, NO_DISTILLATION, NO_FEATURE_TERM, NO_ANSWER_TERM, OWN_TAIL, BOOSTED)

WATCHED = (3, 8)
"""Classes whose recall is boosted."""

BOOST = 4.0
_CHANGED = {NO_FEATURE_TERM: {"feature_weight": 0.0}, NO_ANSWER_TERM: {"distillation_weight": 0.0}}
_EDGE_RATE = 4e-3
"""Highest learning rate of the edge's network, as in the joint training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """A variant's figures on the test part, shares in 0..1.

    Attributes:
        edge: accuracy of the device alone.
        features: accuracy from features at each rate, coarsest first; None where the variant is
            the device's network alone, and of the whole, which the study has.
        watched_recall: of the inputs of :data:`WATCHED`, how many the device gets right.
    """

    variant: str
    seed: int
    edge: float
    features: tuple[float, ...] | None
    watched_recall: float


def without(job: tuple[Study, str]) -> Without:
    """Train a variant from the cloud's network that a study left, and test it."""
    study, variant = job
    family, parts = material(study)
    sets, test = Sets(public=parts["public"], validation=parts["validation"]), parts["test"]
    cloud = load_cloud(study.model_folder).network
    edge = load_edge(study.model_folder).half.network
    features: tuple[float, ...] | None = None
    if variant in (NO_DISTILLATION, BOOSTED):
        edge = _edge(study, family, sets, lessons_of(cloud.network, sets.public), variant)
    elif variant != WHOLE:
        model = _adapted(study, family, sets, cloud, edge, variant)
        scores = run_ways(model, test)["cloud"].scores(family.task, test.targets_n)
        features = tuple(scores[1:-1])
    outputs = chunked(len(test), lambda rows: edge.answer(edge.tokens(test.seen(rows))))
    right = family.task.right(outputs, test.targets_n)
    watched = np.isin(test.targets_n.numpy(), WATCHED)
    return Without(
        variant=variant,
        seed=study.seed,
        edge=float(right.mean()),
        features=features,
        watched_recall=float(right[watched].mean()),
    )


def ablated(variants: Sequence[Without], findings: Sequence[Finding]) -> list[Without]:
    """Return the variants, the whole with the accuracies from features that its study found."""
    studies = {one.seed: one for one in findings if one.task == CLASSIFICATION}
    return [
        replace(one, features=tuple(way.right for way in studies[one.seed].ways[1:-1]))
        if one.variant == WHOLE
        else one
        for one in variants
    ]


def _edge(study: Study, family: Family, sets: Sets, lessons: Lessons, variant: str) -> EdgeNetwork:
    """Return a device's network that is trained otherwise."""
    config = configuration(study)
    seed = derive_seed(config.seed, "edge")
    torch.manual_seed(seed)
    network = family.edge()
    task = boosted(family.task, WATCHED, BOOST) if variant == BOOSTED else family.task
    plan = Plan(epochs=config.edge_epochs, learning_rate=_EDGE_RATE, seed=seed)
    share = 0.0 if variant == NO_DISTILLATION else config.distillation.share
    fit_edge(network, task, sets.public, lessons, plan, share=share)
    return network.eval()


def _adapted(
    study: Study,
    family: Family,
    sets: Sets,
    cloud: Heavier,
    edge: EdgeNetwork,
    variant: str,
) -> JointModel:
    """Return a model whose cloud is adapted otherwise."""
    network = copy.deepcopy(cloud.network)
    # The tail begins as a copy of the network, and stays one if nothing of it is to be moved.
    network.requires_grad_(variant != OWN_TAIL)
    config = configuration(study)
    changed = config.adaptation.model_copy(update=_CHANGED.get(variant, {}))
    return adapted_model(
        family,
        edge,
        {"cloud": network},
        {"cloud": lessons_of(network, sets.public)},
        sets,
        config.model_copy(update={"adaptation": changed}),
        lambda _: None,
    )
