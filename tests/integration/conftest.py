"""A tiny dataset, runs on one Ray in this process, and runs of the command line beside it."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from edgestill.config import RunConfig, dump, load
from edgestill.jobs import main_job, run_folder
from edgestill.report import read_report

ROUNDS = 8


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tiny tensors are slower on more threads."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_config(tiny_config) -> RunConfig:
    """Eight short rounds on ten devices of five profiles."""
    return tiny_config(name="small", fleet={"devices": 10}, federation={"rounds": ROUNDS})


@pytest.fixture(scope="session")
def small_yaml(small_config, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("small") / "small.yaml"
    path.write_text(dump(small_config))
    return path


Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def run_here(ray_here, small_yaml, tmp_path_factory) -> Iterator[Run]:
    """Run the small configuration, after overrides, on the Ray of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main_job, "cluster", lambda address, cpus: nullcontext())

        def run(*overrides: str, out: Path | None = None) -> dict[str, Any]:
            out = out or tmp_path_factory.mktemp("run")
            folder = run_folder.create(load(small_yaml, overrides), out)
            return main_job.run_job(folder, quiet=True)

        yield run


@pytest.fixture(scope="session")
def reference_folder(run_here, tmp_path_factory) -> Path:
    """The folder of an undisturbed run on one cohort."""
    out = tmp_path_factory.mktemp("reference")
    run_here("engine.cohorts=1", out=out)
    return out


@pytest.fixture(scope="session")
def reference(reference_folder) -> dict[str, Any]:
    """The report of that run."""
    return read_report(reference_folder)
