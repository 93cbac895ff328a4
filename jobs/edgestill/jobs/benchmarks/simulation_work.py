"""The works of the contest: as a configuration of ours, and as what the peers read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from sklearn.datasets import load_digits

from edgestill.config import RunConfig, resolve
from edgestill.federation import World
from edgestill.jobs.benchmarks.peers.app.digits8.work import Work
from edgestill.jobs.benchmarks.simulation_models import PREFIX
from edgestill.seeds import derive_seed

SEED = 11
SAMPLES_PER_DEVICE = 64
EPOCHS = 2
BATCH_SIZE = 16
LEARNING_RATE = 0.05
NO_BOUND = 1e6
"""A clipping norm that nothing reaches: peers train without any."""

SPLITS = {"public": [0, 70], "validation": [70, 140], "private": [140, 1437], "test": [1437, 1797]}
LEVELS = ("high", "medium", "low", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A work and how much of it.

    Attributes:
        name: ``small_cnn``, ``mlp``, or ``student`` for the main job's, with distillation.
        devices: all of them take part in every round.
        rounds: those that are measured.
        warm_rounds: played before and not counted.
        momentum: of SGD.
    """

    name: str
    devices: int
    rounds: int
    warm_rounds: int = 2
    momentum: float = 0.0

    @property
    def all_rounds(self) -> int:
        """How many rounds are played."""
        return self.warm_rounds + self.rounds


def write_digits(folder: Path) -> None:
    """Write scikit-learn's 1,797 digits as a data folder of ours, in an order of its own."""
    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(SEED).permutation(len(labels))
    np.save(folder / "visual.npy", pixels[order].astype(np.uint8).reshape(-1, 1, 8, 8))
    np.save(folder / "labels.npy", labels[order].astype(np.int64))
    manifest = {
        "name": "digits8",
        "classes": 10,
        "modalities": [{"kind": "visual", "file": "visual.npy", "scale": 1 / 16}],
        "labels": "labels.npy",
        "splits": SPLITS,
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")


def digits_config(
    contest: Contest, data: Path, *, cohorts: int, changes: Mapping[str, Any] | None = None
) -> RunConfig:
    """Return the configuration of a digits contest.

    Args:
        contest: what to do.
        data: folder that :func:`write_digits` wrote.
        cohorts: actors.
        changes: sections to replace keys of, by name.
    """
    level = {"modalities": {"visual": 1.0}, "width": 1.0, "bits": 32, "epochs": EPOCHS}
    tree: dict[str, dict[str, Any]] = {
        "data": {
            "name": "digits8",
            "path": str(data),
            "partition": {"kind": "draw", "samples_per_device": SAMPLES_PER_DEVICE},
        },
        "student": {"factory": f"edgestill.jobs.benchmarks.simulation_models:{contest.name}"},
        "training": {
            "batch_size": BATCH_SIZE,
            "learning_rate": LEARNING_RATE,
            "momentum": contest.momentum,
            "gradient_clip_norm": NO_BOUND,
        },
        "knowledge": {"selection": "none"},
        "fleet": {
            "devices": contest.devices,
            "groups": [{"name": "cameras", "profile": "camera_gateway"}],
        },
        "allocation": {"policy": "static", "levels": dict.fromkeys(LEVELS, level)},
        "federation": {"rounds": contest.all_rounds, "downlink_bits": 32},
        "privacy": {"update_clip_norm": NO_BOUND},
        "telemetry": {"max_device_series": 0},
        "engine": {"cohorts": cohorts},
    }
    for section, keys in (changes or {}).items():
        tree[section] = {**tree[section], **keys}
    return resolve({"name": contest.name, "seed": SEED, **tree})


def student_config(contest: Contest, *, cohorts: int) -> RunConfig:
    """Return the main job's configuration: five profiles, distillation, the allocator's levels."""
    return resolve(
        {
            "name": contest.name,
            "seed": SEED,
            "fleet": {"devices": contest.devices},
            # Rounding to few bits is random; a last bit's difference would be a level's.
            "allocation": {"levels": {name: {"bits": 32} for name in LEVELS}},
            "federation": {"rounds": contest.all_rounds, "downlink_bits": 32},
            "teacher": {"epochs": 1},
            "telemetry": {"max_device_series": 0},
            "engine": {"cohorts": cohorts},
        }
    )


def shared_work(contest: Contest, world: World) -> Work:
    """Return a digits contest as the peers read it: the very rows and weights of ours."""
    dataset, training = world.dataset, world.config.training
    initial = world.family.initial_arrays(derive_seed(world.config.seed, "student"))
    return Work(
        model=contest.name,
        seed=world.config.seed,
        rounds=contest.all_rounds,
        epochs=EPOCHS,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        momentum=training.momentum,
        inputs=dataset.inputs(np.arange(len(dataset)))["visual"],
        labels=dataset.labels,
        rows=np.stack([world.owned[device] for device in range(contest.devices)]),
        test_rows=dataset.splits["test"],
        initial={name.removeprefix(PREFIX): array for name, array in initial.items()},
    )
