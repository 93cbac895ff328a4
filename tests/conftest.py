"""A dataset and a configuration small enough to federate in a blink, for tests of every part."""

import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import yaml

from edgestill.config import RunConfig, resolve

CLASSES = 4
SIZES = {"public": 48, "validation": 16, "private": 60, "test": 40}
SHAPES = {"visual": (1, 6, 6), "audio": (1, 8, 8), "sensor": (2, 12)}
PROFILES = {
    "phones": "phone",
    "boards": "single_board_computer",
    "cameras": "camera_gateway",
    "wearables": "wearable",
    "microcontrollers": "microcontroller",
}


@pytest.fixture(scope="session", autouse=True)
def children_hear_ctrl_c() -> None:
    """A shell starts what it runs in the background deaf to Ctrl-C, and children inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep what runs write about themselves, such as target files, out of the home directory."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("state")
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def ray_here() -> None:
    """A Ray with more CPUs than there are: what counts is how many actors may start.

    The pool that the actors' tests share holds two to the end of the session.
    """
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ray.init(
        address="local",
        num_cpus=8,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest folder: 164 samples of 4 classes, blobs in visual, audio and sensor; 20 users."""
    folder = tmp_path_factory.mktemp("data") / "blobs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    count = sum(SIZES.values())
    labels = np.arange(count) % CLASSES
    for kind, shape in SHAPES.items():
        centres = rng.normal(size=(CLASSES, *shape))
        noise = rng.normal(size=(count, *shape))
        np.save(folder / f"{kind}.npy", (centres[labels] + noise).astype(np.float32))
    np.save(folder / "labels.npy", labels)
    np.save(folder / "users.npy", np.arange(count) % 20)
    ends = np.cumsum(list(SIZES.values())).tolist()
    manifest = {
        "name": "blobs",
        "classes": CLASSES,
        "modalities": [{"kind": kind, "file": f"{kind}.npy"} for kind in SHAPES],
        "labels": "labels.npy",
        "users": "users.npy",
        "splits": {name: [end - SIZES[name], end] for name, end in zip(SIZES, ends, strict=True)},
    }
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    return folder


@pytest.fixture(scope="session")
def tiny_config(tiny_dataset: Path) -> Callable[..., RunConfig]:
    """Build a configuration of 6 devices of five profiles, 2 rounds and a teacher of 2 epochs.

    Overrides are sections, merged key by key: ``tiny_config(federation={"rounds": 3})``.
    """

    def build(**overrides: Any) -> RunConfig:
        tree = {
            "name": "tiny",
            "data": {
                "name": "blobs",
                "path": str(tiny_dataset),
                "partition": {"kind": "iid"},
            },
            "teacher": {"epochs": 2},
            "knowledge": {"samples_per_round": 8},
            "fleet": {
                "devices": 6,
                "groups": [
                    {"name": name, "profile": profile} for name, profile in PROFILES.items()
                ],
            },
            "federation": {"rounds": 2},
        }
        return resolve(_merged(tree, overrides))

    return build


def _merged(tree: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**tree}
    for key, value in overrides.items():
        inner = merged.get(key)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(inner, value) if both else value
    return merged
