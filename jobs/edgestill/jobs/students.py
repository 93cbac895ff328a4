"""The student of a run at a level, as a file that a device runs: exported, checked, measured."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from edgestill.allocation import Allocation, Level, allocation_of
from edgestill.config import RunConfig, digest, load
from edgestill.errors import CheckpointError, InputError, RunError
from edgestill.federation import CheckpointFolder, World, model_of, world_of
from edgestill.models import leading_block, load_arrays
from edgestill.models.deploy import (
    TOLERANCE,
    Agreement,
    Footing,
    compare,
    finish,
    measure_footing,
    quantise_onnx,
    write_onnx,
)
from edgestill.seeds import generator

SCHEMA = "edgestill.export/1"
INT8_BITS = 8
"""A level of so many bits or fewer is exported in int8, the smallest that ONNX's operators take."""

MOST_CHECKED, CALIBRATION_SAMPLES = 2048, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """The student of a run after its newest round, at one level."""

    world: World
    allocation: Allocation
    module: nn.Module
    parameters: int
    round_number: int

    @property
    def precision(self) -> str:
        """``"int8"`` or ``"float32"``."""
        return "int8" if self.allocation.bits <= INT8_BITS else "float32"

    @property
    def free_memory_bytes(self) -> int:
        """What a device of this level has free at least; at critical, at most."""
        bounds = self.world.config.allocation.thresholds.free_memory_bytes
        return int(bounds[min(self.allocation.level.severity, len(bounds) - 1)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What :func:`export_student` wrote and found.

    ``as_float32`` is of the file before it was brought to eight bits, ``agreement`` of what was
    written; they are the same for a level that stays in float32.
    """

    path: Path
    student: Student
    as_float32: Agreement
    agreement: Agreement
    footing: Footing

    def to_plain(self) -> dict[str, Any]:
        """Return plain values, as written beside the file."""
        student = self.student
        return {
            "schema": SCHEMA,
            "file": self.path.name,
            "format": "onnx",
            "level": student.allocation.level.value,
            "precision": student.precision,
            "round": student.round_number,
            "fingerprint": f"{student.world.fingerprint:08x}",
            "modalities": dict(student.allocation.modalities),
            "width": student.allocation.width,
            "parameters": student.parameters,
            "split": "validation",
            "as_float32": asdict(self.as_float32),
            "agreement": asdict(self.agreement),
            "footing": asdict(self.footing),
        }


def open_student(run_dir: Path, level: str) -> Student:
    """Return the student of a finished or stopped run at a level, from its newest checkpoint.

    Raises:
        InputError: no run is there, its dataset cannot be opened, or there is no such level.
        CheckpointError: no round of it was ever finished, or all its checkpoints are damaged.
    """
    if level not in list(Level):
        raise InputError(f"--level {level}: expected one of {', '.join(Level)}")
    config = _config_of(run_dir)
    if not (run_dir / "checkpoints").is_dir():
        raise CheckpointError(f"{run_dir}: no checkpoint there; the run ended before its first")
    checkpoint = CheckpointFolder(run_dir / "checkpoints", digest(config)).newest()
    world = world_of(config)
    allocation = allocation_of(config.allocation.levels, Level(level), world.dataset.kinds)
    variant = world.family.variant(allocation.modalities, allocation.width)
    module = world.family.module(allocation.width)
    load_arrays(module, leading_block(model_of(checkpoint), variant.shapes))
    return Student(
        world=world,
        allocation=allocation,
        module=module.eval(),
        parameters=variant.cost.parameters,
        round_number=checkpoint.round_number,
    )


def export_student(student: Student, path: Path, *, batch: int | None) -> Exported:
    """Write a student as ONNX and, beside it, what was found about it as JSON.

    In float32 its logits must be those of torch; in int8, calibrated on public samples, how far
    they are off is found on validation samples. Nothing is left where this fails.

    Raises:
        InputError: an operator that ONNX lacks, a batch larger than the validation split, or a
            path that cannot be written.
        RunError: the file does not answer as the model.
    """
    rows = student.world.dataset.splits["validation"][:MOST_CHECKED]
    if batch is not None and batch > len(rows):
        raise InputError(f"--batch {batch}: only {len(rows)} validation samples to check it on")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as scratch:
            draft = Path(scratch) / path.name
            as_float32, agreement = _write(student, draft, rows, batch)
            exported = Exported(
                path=path,
                student=student,
                as_float32=as_float32,
                agreement=agreement,
                footing=measure_footing(draft, limit_bytes=student.free_memory_bytes),
            )
            beside = draft.with_suffix(".json")
            beside.write_text(json.dumps(exported.to_plain(), indent=2) + "\n", encoding="utf-8")
            os.replace(draft, path)
            os.replace(beside, path.with_suffix(".json"))
    except OSError as error:
        raise InputError(f"--out {path}: cannot be written: {error}") from error
    return exported


def _write(
    student: Student, path: Path, rows: NDArray[np.int64], batch: int | None
) -> tuple[Agreement, Agreement]:
    """Write a file and return how it agrees in float32, and as it is in the end."""
    family = student.world.family
    write_onnx(
        student.module,
        student.allocation.modalities,
        family.modalities,
        path,
        batch=batch,
        compress=family.compress,
    )
    finish(path, {})
    as_float32 = agreement = _agreement(student, path, rows, batch)
    if not as_float32.within_tolerance:
        raise RunError(
            f"{path.name}: logits differ by up to {as_float32.largest_difference:.3g} from the "
            f"model's, more than {TOLERANCE:g} of their size; nothing was written"
        )
    if student.precision == "int8":
        quantise_onnx(path, _calibration(student), batch=batch)
        agreement = _agreement(student, path, rows, batch)
    finish(path, _metadata(student))
    return as_float32, agreement


def _config_of(run_dir: Path) -> RunConfig:
    if not (run_dir / "config.yaml").is_file():
        raise InputError(f"{run_dir}: no config.yaml there; give the folder of a run")
    return load(run_dir / "config.yaml")


def _agreement(
    student: Student, path: Path, rows: NDArray[np.int64], batch: int | None
) -> Agreement:
    dataset = student.world.dataset
    return compare(
        path,
        student.module,
        student.allocation.modalities,
        dataset.inputs(rows),
        dataset.labels[rows],
        batch=batch,
        compress=student.world.family.compress,
    )


def _calibration(student: Student) -> dict[str, NDArray[np.float32]]:
    world = student.world
    public = world.dataset.splits["public"]
    count = min(CALIBRATION_SAMPLES, len(public))
    picked = generator(world.config.seed, "calibration").choice(public, count, replace=False)
    inputs = world.dataset.inputs(np.sort(picked))
    return {kind: inputs[kind] for kind in student.allocation.modalities}


def _metadata(student: Student) -> Mapping[str, str]:
    """Return what a device must know: what the inputs are, and of what the file was made."""
    world = student.world
    modalities = {
        kind: {
            "shape": list(world.family.modalities[kind]),
            "scale": world.dataset.modalities[kind].scale,
            "offset": world.dataset.modalities[kind].offset,
            "share": share,
        }
        for kind, share in student.allocation.modalities.items()
    }
    return {
        "edgestill.schema": SCHEMA,
        "edgestill.run": world.config.name,
        "edgestill.dataset": world.dataset.name,
        "edgestill.fingerprint": f"{world.fingerprint:08x}",
        "edgestill.config_digest": digest(world.config),
        "edgestill.round": str(student.round_number),
        "edgestill.level": student.allocation.level.value,
        "edgestill.precision": student.precision,
        "edgestill.modalities": json.dumps(modalities),
    }
