"""A finished run of the fleet as a joint model: student at the edge, teacher in the cloud."""

import time
from pathlib import Path
from typing import Any

import torch

from edgestill.config import JointConfig, StagesConfig
from edgestill.errors import InputError
from edgestill.federation import load_teacher
from edgestill.inference.joint import classified_samples, save_joint
from edgestill.inference.joint.fleet import FleetFamily, StudentEdge, TeacherCloud
from edgestill.inference.joint.samples import inputs_of
from edgestill.inference.joint.training import Sets, adapted_model, lessons_of
from edgestill.jobs.joint.training import Splits, Told, measured
from edgestill.jobs.split_job import create_folder
from edgestill.jobs.students import Student, open_student
from edgestill.report import versions_and_hardware


def adapt_run(run_dir: Path, level: str, out: Path, told: Told) -> dict[str, Any]:
    """Adapt a run's teacher to its student, write the model, and return the report.

    Codec, adapter and tail learn from the public samples, as the teacher did.

    Args:
        run_dir: of a run that kept its teacher's weights.
        level: whose student is the device's network.
        out: a new folder.
        told: is given a line when a stage begins.

    Raises:
        InputError: no such run or level, or models that are of no late fusion.
        CheckpointError: the run has no checkpoint, or keeps no teacher's weights.
    """
    torch.set_num_threads(1)
    student = open_student(run_dir, level)
    _check(student)
    family = family_of_run(student)
    edge, cloud = family.edge(), family.cloud()
    _fill(edge, cloud, student, load_teacher(student.world, run_dir / "teacher"))
    create_folder(out)
    splits = _splits(student, family)
    started, config = time.perf_counter(), JointConfig(seed=student.world.config.seed)
    told(f"what the teacher makes of {len(splits.public)} public samples")
    model = adapted_model(
        family,
        edge,
        {"cloud": cloud},
        {"cloud": lessons_of(cloud, splits.public)},
        Sets(public=splits.public, validation=splits.validation),
        config,
        told,
    )
    training_s = time.perf_counter() - started
    told("every way of answering, on validation and test samples")
    report = {
        **versions_and_hardware(),
        "name": student.world.config.name,
        "seed": config.seed,
        "data": student.world.dataset.name,
        "level": level,
        "round": student.round_number,
        "training_wall_s": training_s,
        **measured(model, splits, kept=config.gate.value),
    }
    save_joint(out, model, report)
    return report


def family_of_run(student: Student) -> FleetFamily:
    """Return what a joint model of a run is made of.

    Raises:
        ConfigurationError: the student or the teacher is of no late fusion.
    """
    world, allocation = student.world, student.allocation
    kinds = [kind for kind in world.dataset.kinds if kind in allocation.modalities]
    return FleetFamily(
        modalities=inputs_of(world.dataset, kinds),
        every_shape=world.family.modalities,
        shares={kind: allocation.modalities[kind] for kind in kinds},
        width=allocation.width,
        classes=world.dataset.classes,
        student=world.config.student.factory,
        teacher=world.config.teacher.factory,
    )


def _fill(
    edge: StudentEdge, cloud: TeacherCloud, student: Student, teacher: torch.nn.Module
) -> None:
    edge.student.load_state_dict(student.module.state_dict())
    cloud.teacher.load_state_dict(teacher.state_dict())
    edge.eval()
    cloud.eval()


def _splits(student: Student, family: FleetFamily) -> Splits:
    dataset, kinds = student.world.dataset, list(family.inputs)
    public, validation, test = (
        classified_samples(dataset, split, kinds) for split in ("public", "validation", "test")
    )
    return Splits(family=family, public=public, validation=validation, test=test)


def _check(student: Student) -> None:
    config, shares = student.world.config, student.allocation.modalities
    if config.training.personal:
        raise InputError(
            f"training.personal: {', '.join(config.training.personal)} never left the devices; "
            "the run has no student that others could answer with"
        )
    if config.allocation.stages != StagesConfig() and any(share < 1.0 for share in shares.values()):
        raise InputError(
            f"allocation.stages: level {student.allocation.level} compresses its inputs by stages "
            "that joint inference does not run; give --level of a level that keeps them whole"
        )
