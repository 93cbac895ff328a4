"""Training a student of the benchmark: ours, its ablations and the comparators, on equal terms.

All see the same variations of the same samples, with the same optimiser, in the same order.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor, nn

from edgestill.jobs.benchmarks.racmkd.lessons import Lessons, Part, View, outputs
from edgestill.knowledge import align_loss, distill_loss, feature_distance, task_loss
from edgestill.models import (
    LateFusion,
    arrays_of,
    exact_activations,
    leading_block,
    load_arrays,
    prune_channels,
    student,
)
from edgestill.models import Output as ModelOutput

BATCH = 64
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1e-3
CONTRASTIVE_TEMPERATURE = 0.07
JUDGING_BATCHES = 8
"""Batches whose gradients tell which channels matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How a student is taught; the terms' weights beside the labels' cross-entropy of 1.

    Attributes:
        logits: weight of the divergence from the teacher's logits.
        features: weight of the distance from its features.
        align: weight of the contrastive alignment.
        shared: whether the features are those of the space that the kinds share.
        dropped: probability that a step leaves some kinds out.
    """

    logits: float = 0.0
    features: float = 0.0
    align: float = 0.0
    shared: bool = False
    dropped: float = 0.0
    temperature: float = 4.0


def ours_at(kinds: Iterable[str]) -> Method:
    """Return how a student of these kinds is taught; chosen on the validation part.

    RA-CMKD's weights depend on the resources, beta(R) and gamma(R). The teacher hears; a student
    that does not cannot follow all that the teacher says, and is told less of it.
    """
    logits = 0.5 if "audio" in kinds else 0.1
    return Method(logits=logits, features=0.1, align=0.02, shared=True, dropped=0.1)


def unaligned_at(kinds: Iterable[str]) -> Method:
    """Return the same without shared space, contrastive alignment and missing kinds."""
    return replace(ours_at(kinds), align=0.0, shared=False, dropped=0.0)


COMPARATORS: Mapping[str, Method] = {
    "no distillation": Method(),
    "logit distillation": Method(logits=1.0),
    "feature distillation": Method(features=1.0),
}
"""Hinton et al., 2015, for the logits; Romero et al., "FitNets", ICLR 2015, for the features."""


def wide_student(lessons: Lessons, kinds: Iterable[str], seed: int, width: float) -> LateFusion:
    """Return a student of some kinds as drawn."""
    torch.manual_seed(seed)
    return student({kind: lessons.shapes[kind] for kind in kinds}, lessons.classes, width)


def fit(
    module: LateFusion,
    lessons: Lessons,
    method: Method,
    *,
    epochs: int,
    seed: int,
    rate: float = LEARNING_RATE,
) -> None:
    """Train a student in place.

    Args:
        module: of any kinds of the lessons.
        lessons: as its level sees them.
        method: how.
        epochs: passes over the public part, each over another view.
        seed: of the order, and of what is left out.
        rate: the highest learning rate; it rises for a tenth of the steps and falls after.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = len(lessons.labels) // BATCH
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps * epochs, pct_start=0.1)
    module.train()
    for epoch in range(epochs):
        view = lessons.views[epoch % len(lessons.views)]
        order = torch.randperm(len(lessons.labels), generator=generator)
        for step in range(steps):
            rows = order[step * BATCH : (step + 1) * BATCH]
            optimizer.zero_grad(set_to_none=True)
            loss = _loss(module, view, lessons.labels, rows, method, generator)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()


def told_by(assistants: Sequence[LateFusion], lessons: Lessons) -> Lessons:
    """Return the lessons with the mean of what assistants, and maybe the teacher, say.

    Wide students of a level's own inputs say what these leave open, and their mean better than each
    ("teacher assistants": Mirzadeh et al., AAAI 2020). The teacher joins in where the level hears:
    a teacher that hears cannot say what an image alone leaves open.
    """
    heard = "audio" in lessons.views[0].inputs
    views = []
    for view in lessons.views:
        part = Part(inputs=view.inputs, labels=lessons.labels)
        said = [
            torch.cat([torch.log_softmax(one.logits, dim=1) for one, _ in outputs(module, part)])
            for module in assistants
        ]
        if heard:
            said.append(torch.log_softmax(view.logits, dim=1))
        views.append(replace(view, logits=torch.stack(said).mean(dim=0)))
    return replace(lessons, views=views)


def prune(
    module: LateFusion, lessons: Lessons, method: Method, ratio: float, seed: int
) -> LateFusion:
    """Remove, in place, the share of the channels that the student's own loss misses least."""
    generator = torch.Generator().manual_seed(seed)
    view = lessons.views[0]
    order = torch.randperm(len(lessons.labels), generator=generator)
    module.zero_grad(set_to_none=True)
    for start in range(0, JUDGING_BATCHES * BATCH, BATCH):
        rows = order[start : start + BATCH]
        loss = _loss(module, view, lessons.labels, rows, method, generator)
        loss.backward()  # type: ignore[no-untyped-call]
    example = {kind: view.inputs[kind][:2] for kind in module.encoders}
    prune_channels(module, example, dict.fromkeys(module.encoders, ratio))
    return module


def leading(
    module: LateFusion, lessons: Lessons, method: Method, ratio: float, seed: int
) -> LateFusion:
    """Return a narrow student of the first channels, whatever they carry: a plain width slice."""
    del method
    pruned = prune(deepcopy(module), lessons, Method(), ratio, seed)
    shapes = {name: tuple(tensor.shape) for name, tensor in pruned.state_dict().items()}
    load_arrays(pruned, leading_block(arrays_of(module), shapes))
    return pruned


def _loss(
    module: LateFusion,
    view: View,
    labels: Tensor,
    rows: Tensor,
    method: Method,
    generator: Generator,
) -> Tensor:
    kinds = _present(tuple(module.encoders), method.dropped, generator)
    output: ModelOutput = module({kind: view.inputs[kind][rows] for kind in kinds})
    total = task_loss(output.logits, labels[rows])
    if method.logits:
        total = total + method.logits * distill_loss(
            output.logits,
            view.logits[rows],
            {},
            {},
            temperature=method.temperature,
            feature_weight=0.0,
        )
    if method.features:
        targets = view.shared if method.shared else view.own
        distances = [
            feature_distance(embedding, targets[kind][rows]).mean()
            for kind, embedding in output.embeddings.items()
        ]
        total = total + method.features * torch.stack(distances).mean()
    if method.align:
        total = total + method.align * align_loss(output.embeddings, CONTRASTIVE_TEMPERATURE)
    return total


def forgotten(module: LateFusion, seed: int) -> LateFusion:
    """Return a student of the same shapes that has learned nothing yet."""
    fresh = deepcopy(module)
    exact_activations(fresh)
    torch.manual_seed(seed)
    for layer in fresh.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear | nn.GroupNorm):
            layer.reset_parameters()
    for gate in fresh.gates.values():
        nn.init.constant_(gate, 2.0)
    return fresh


def _present(kinds: tuple[str, ...], dropped: float, generator: Generator) -> tuple[str, ...]:
    if not dropped or len(kinds) < 2 or float(torch.rand((), generator=generator)) >= dropped:
        return kinds
    some = tuple(k for k in kinds if float(torch.rand((), generator=generator)) < 0.5)
    return some or (kinds[int(torch.randint(len(kinds), (), generator=generator))],)
