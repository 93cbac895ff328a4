"""The data of a seed and what its teacher says of it, worked out once and read by every student."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor, nn

from edgestill.config import TeacherConfig, resolve
from edgestill.data import Dataset, load_dataset
from edgestill.jobs.benchmarks.racmkd.plan import Amount
from edgestill.jobs.benchmarks.racmkd.variation import varied
from edgestill.knowledge.projection import reduce_width
from edgestill.knowledge.shared_space import SharedSpace, fit_shared_space
from edgestill.models import Output, teacher
from edgestill.models.fusion import STUDENT_EMBEDDING_SIZE
from edgestill.seeds import derive_seed
from edgestill.training import fit_centrally

PORTION = 512

Inputs = dict[str, Tensor]
Compressed = Callable[[Inputs], Inputs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Inputs by kind [N, *shape] and labels [N] of one part of the data."""

    inputs: Inputs
    labels: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The public part, varied, with what the teacher says of exactly these inputs.

    A teacher that has learned a part by heart says little more of it than its labels; of a
    variation it says more (Beyer et al., "Knowledge Distillation: A Good Teacher Is Patient and
    Consistent", CVPR 2022).

    Attributes:
        inputs: kind to [N, *shape].
        logits: the teacher's, [N, K].
        own: its embeddings by kind in their own principal components, [N, D].
        shared: the same in the space that all kinds share, [N, D].
    """

    inputs: Inputs
    logits: Tensor
    own: Inputs
    shared: Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What students learn from, and are scored on.

    Attributes:
        labels: of the public part, [N].
        views: of the public part; an epoch reads one.
        parts: validation and test.
        space: that all kinds share.
        teacher_module: as trained.
    """

    shapes: Mapping[str, tuple[int, ...]]
    classes: int
    labels: Tensor
    views: Sequence[View]
    parts: Mapping[str, Part]
    space: SharedSpace
    teacher_module: nn.Module

    def seen(self, compressed: Compressed) -> "Lessons":
        """Return the lessons as a level sees them."""
        views = [replace(view, inputs=compressed(view.inputs)) for view in self.views]
        parts = {k: replace(part, inputs=compressed(part.inputs)) for k, part in self.parts.items()}
        return replace(self, views=views, parts=parts)


def dataset() -> Dataset:
    """Open ``av_digits``."""
    return load_dataset(resolve({"name": "racmkd"}).data)


def teach(seed: int, amount: Amount, folder: Path) -> float:
    """Train a seed's teacher, keep its lessons in a folder, and return its test accuracy."""
    data = dataset()
    module = _teacher(data, seed)
    for _ in fit_centrally(
        module, data, TeacherConfig(epochs=amount.teacher_epochs), derive_seed(seed, "teacher")
    ):
        pass
    public = _part(data, "public")
    order = torch.randperm(
        len(public.labels), generator=torch.Generator().manual_seed(derive_seed(seed, "samples"))
    )
    public = _rows(public, order[: amount.samples])
    space = fit_shared_space(_said(module, public)[1], STUDENT_EMBEDDING_SIZE)
    generator = torch.Generator().manual_seed(derive_seed(seed, "views"))
    made = [_view(module, public, space, generator) for _ in range(amount.views)]
    lessons = Lessons(
        shapes={kind: data.modalities[kind].shape for kind in data.kinds},
        classes=data.classes,
        labels=public.labels,
        views=made,
        parts={name: _part(data, name) for name in ("validation", "test")},
        space=space,
        teacher_module=module,
    )
    torch.save(lessons, folder / f"lessons-{seed}.pt")
    return accuracy(module, lessons.parts["test"])


def lessons_of(seed: int, folder: Path) -> Lessons:
    """Return the lessons of a seed that :func:`teach` has kept in a folder."""
    lessons: Lessons = torch.load(folder / f"lessons-{seed}.pt", weights_only=False)
    return lessons


def _view(module: nn.Module, public: Part, space: SharedSpace, generator: Generator) -> View:
    inputs = varied(public.inputs, generator)
    logits, features = _said(module, replace(public, inputs=inputs))
    width = STUDENT_EMBEDDING_SIZE
    return View(
        inputs=inputs,
        logits=logits,
        own={k: torch.from_numpy(reduce_width(v, width)) for k, v in features.items()},
        shared={k: torch.from_numpy(space.project(k, v)) for k, v in features.items()},
    )


def _said(module: nn.Module, part: Part) -> tuple[Tensor, dict[str, NDArray[np.float32]]]:
    given = [output for output, _ in outputs(module, part)]
    features = {
        kind: torch.cat([one.embeddings[kind] for one in given]).numpy() for kind in part.inputs
    }
    return torch.cat([one.logits for one in given]), features


def outputs(module: nn.Module, part: Part) -> Iterator[tuple[Output, Tensor]]:
    """Yield a module's outputs over a part, in evaluation mode, with the labels."""
    module.eval()
    with torch.no_grad():
        for start in range(0, len(part.labels), PORTION):
            rows = slice(start, start + PORTION)
            yield module({k: v[rows] for k, v in part.inputs.items()}), part.labels[rows]


def accuracy(module: nn.Module, part: Part) -> float:
    """Return the share of a part's samples that a module gets right, 0..1."""
    right = sum(int((o.logits.argmax(1) == labels).sum()) for o, labels in outputs(module, part))
    return right / len(part.labels)


def _teacher(data: Dataset, seed: int) -> nn.Module:
    torch.manual_seed(derive_seed(seed, "teacher-weights"))
    return teacher({kind: data.modalities[kind].shape for kind in data.kinds}, data.classes)


def _rows(part: Part, rows: Tensor) -> Part:
    return Part(inputs={k: v[rows] for k, v in part.inputs.items()}, labels=part.labels[rows])


def _part(data: Dataset, name: str) -> Part:
    rows = data.splits[name]
    inputs = {kind: torch.from_numpy(values) for kind, values in data.inputs(rows).items()}
    return Part(inputs=inputs, labels=torch.from_numpy(np.asarray(data.labels[rows])))
