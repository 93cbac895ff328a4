"""The teacher learns once, on public data; its knowledge is kept in a bank on disk."""

import json
import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import nn

from edgestill.errors import CheckpointError
from edgestill.federation.world import World
from edgestill.knowledge import KnowledgeBank, fit_projection, load_bank, save_bank
from edgestill.models import Arrays, arrays_of, load_arrays, load_factory, measure_cost
from edgestill.seeds import derive_seed
from edgestill.training import EpochScore, evaluate, fit_centrally

BANK_FILE, REPORT_FILE = "bank.safetensors", "teacher.json"
WEIGHTS_FILE = "weights.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """A trained teacher's knowledge, its row of the report, and its weights by name.

    The weights are None where the teacher was read from a folder, which keeps them.
    """

    bank: KnowledgeBank
    report: dict[str, Any]
    weights: Arrays | None = None


def teach(world: World) -> Generator[EpochScore, None, Taught]:
    """Train the teacher, yielding each epoch's score, and return its knowledge.

    Raises:
        ConfigurationError: the factory cannot be loaded.
        RunError: the teacher's outputs are not finite.
    """
    started = time.perf_counter()
    config, dataset = world.config, world.dataset
    seed = derive_seed(config.seed, "teacher")
    factory = load_factory(config.teacher.factory, key="teacher.factory")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = factory(world.family.modalities, dataset.classes, width=1.0)
        last = None
        for last in fit_centrally(module, dataset, config.teacher, seed):
            yield last
    module.eval()
    everything = dict.fromkeys(dataset.kinds, 1.0)
    sample = {kind: torch.zeros(1, *shape) for kind, shape in world.family.modalities.items()}
    cost = measure_cost(module, sample)
    report = {
        "accuracy": evaluate(module, dataset, dataset.splits["test"], everything).accuracy,
        "validation_accuracy": evaluate(
            module, dataset, dataset.splits["validation"], everything
        ).accuracy,
        "accuracy_by_kind": {
            kind: evaluate(module, dataset, dataset.splits["test"], {kind: 1.0}).accuracy
            for kind in dataset.kinds
        },
        "epochs": 0 if last is None else last.epoch,
        "parameters": cost.parameters,
        "flops_per_sample": cost.forward_flops,
        "bytes": cost.inference_memory_bytes(),
        "wall_s": time.perf_counter() - started,
    }
    return Taught(bank=_bank(world, module), report=report, weights=arrays_of(module))


def save_taught(taught: Taught, folder: Path) -> None:
    """Write bank, weights and report; the report last, as the sign that all are whole."""
    folder.mkdir(parents=True, exist_ok=True)
    save_bank(taught.bank, folder / BANK_FILE)
    if taught.weights is not None:
        (folder / WEIGHTS_FILE).write_bytes(save(taught.weights))
    partial = folder / f"{REPORT_FILE}.partial"
    partial.write_text(json.dumps(taught.report), encoding="utf-8")
    os.replace(partial, folder / REPORT_FILE)


def load_taught(world: World, folder: Path) -> Taught | None:
    """Read what :func:`save_taught` wrote; None when there is none.

    Raises:
        CheckpointError: the files are damaged or made from another dataset.
    """
    path = folder / REPORT_FILE
    if not path.exists():
        return None
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path}: not valid JSON: {error}") from error
    return Taught(bank=load_bank(folder / BANK_FILE, world.dataset), report=report)


def load_teacher(world: World, folder: Path) -> nn.Module:
    """Return the trained teacher that :func:`save_taught` left in a folder, in evaluation mode.

    Raises:
        CheckpointError: its weights are not there, damaged, or of another model.
        ConfigurationError: the factory cannot be loaded.
    """
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(
            f"{path}: not there; the run did not end its teacher's training here, or was made "
            "before runs kept the teacher's weights: run it again"
        )
    factory = load_factory(world.config.teacher.factory, key="teacher.factory")
    with torch.random.fork_rng(devices=[]):
        module = factory(world.family.modalities, world.dataset.classes, width=1.0)
    try:
        weights = load(path.read_bytes())
        if set(weights) != set(arrays_of(module)):
            raise KeyError("other names than the model's")
        load_arrays(module, weights)
    except (OSError, SafetensorError, RuntimeError, KeyError) as error:
        raise CheckpointError(
            f"{path}: cannot be read as the teacher's weights: {error}"
        ) from error
    return module.eval()


def _bank(world: World, module: torch.nn.Module) -> KnowledgeBank:
    dataset = world.dataset
    public = dataset.splits["public"]
    return KnowledgeBank.build(
        module,
        dataset,
        public,
        fit_projection(
            dataset.inputs(public),
            dataset.labels[public],
            None if dataset.users is None else dataset.users[public],
            classes=dataset.classes,
        ),
        width=_student_width(world),
        shared=world.config.knowledge.subspace == "shared",
    )


def _student_width(world: World) -> int:
    """Return the width of the student's embeddings, which the teacher's are reduced to."""
    sample = {kind: torch.zeros(1, *shape) for kind, shape in world.family.modalities.items()}
    module = world.family.module(1.0).eval()
    with torch.inference_mode():
        return int(module(sample).fused.shape[-1])
