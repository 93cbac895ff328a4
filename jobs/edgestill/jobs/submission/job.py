"""What is submitted: the command that a head runs, and what is said about the job."""

import shlex
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from edgestill.actors import RESUMED_FROM
from edgestill.config import RunConfig, digest, dump
from edgestill.errors import InputError
from edgestill.jobs.submission.staging import CONFIG_FILE

DEFAULT_STORAGE = "~/edgestill/runs"
LARGEST_CONFIGURATION_CHARACTERS = 32_768
"""Ray hands the metadata over in one environment variable, which Linux keeps below 128 KiB."""

GIT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job to submit.

    Attributes:
        id: submission id.
        entrypoint: shell command that runs on the head.
        metadata: what ``ray job list`` and the dashboard show of it.
    """

    id: str
    entrypoint: str
    metadata: Mapping[str, str]


def submission_id(name: str) -> str:
    """Return a new submission id that begins with a run's name."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def new_job(config: RunConfig, *, storage: str, working_tree: Path) -> Job:
    """Return the job that runs a staged configuration.

    Its inputs are copied beside the run: Ray removes its own copy some time after the job.

    Args:
        config: as the job sees it.
        storage: folder on the head; ``~`` is the home of the user who runs the head.
        working_tree: any folder in the git tree whose revision is noted.

    Raises:
        InputError: ``storage`` is not an absolute path.
    """
    _check_storage(storage)
    identifier = submission_id(config.name)
    folder, inputs = f"{storage}/{identifier}", f"{storage}/inputs/{identifier}"
    text = dump(config)
    metadata = {
        "name": config.name,
        "folder": folder,
        "inputs": inputs,
        "config_digest": digest(config),
        "edgestill_version": version("edgestill"),
        "configuration": text
        if len(text) <= LARGEST_CONFIGURATION_CHARACTERS
        else f"{len(text)} characters; see config.yaml in the folder",
    }
    if (revision := git_revision(working_tree)) is not None:
        metadata["git_revision"] = revision
    entrypoint = (
        f"mkdir -p {_word(storage)}/inputs && cp -r . {_word(inputs)} && cd {_word(inputs)} && "
        f"exec python -m edgestill.jobs.cli run {CONFIG_FILE} --out {_word(folder)}"
    )
    return Job(id=identifier, entrypoint=entrypoint, metadata=metadata)


def resumed_job(earlier: str, metadata: Mapping[str, str]) -> Job:
    """Return the job that takes up an earlier one, of which the metadata are given.

    Raises:
        InputError: the earlier job was not submitted by ``edgestill submit``.
    """
    if not {"name", "folder", "inputs"} <= metadata.keys():
        raise InputError(
            f"--resume {earlier}: not a job of edgestill submit; take it up by ray job submit -- "
            f"python -m edgestill.jobs.cli run --resume {DEFAULT_STORAGE}/{earlier}"
        )
    kept = {key: value for key, value in metadata.items() if not key.startswith("job_")}
    entrypoint = (
        f"cd {_word(metadata['inputs'])} && "
        f"exec python -m edgestill.jobs.cli run --resume {_word(metadata['folder'])}"
    )
    return Job(
        id=submission_id(metadata["name"]),
        entrypoint=entrypoint,
        metadata=kept | {RESUMED_FROM: earlier},
    )


def git_revision(folder: Path) -> str | None:
    """Return the commit checked out in a folder's tree, ``-dirty`` if it was changed since.

    None where there is no git or no tree.
    """
    git = shutil.which("git")
    if git is None:
        return None

    def ask(*arguments: str) -> str | None:
        done = subprocess.run(  # noqa: S603 - git itself
            [git, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=GIT_TIMEOUT_S,
        )
        return done.stdout.strip() if done.returncode == 0 else None

    try:
        commit = ask("rev-parse", "HEAD")
        return commit and commit + ("-dirty" if ask("status", "--porcelain") else "")
    except subprocess.TimeoutExpired:
        return None


def _check_storage(storage: str) -> None:
    if not storage.startswith(("/", "~/")):
        raise InputError(
            f"--storage {storage}: expected an absolute path on the head, such as /mnt/runs or "
            f"{DEFAULT_STORAGE}"
        )


def _word(path: str) -> str:
    """Return a path as a word of a shell that still expands a leading ``~``."""
    return f"~/{shlex.quote(path[2:])}" if path.startswith("~/") else shlex.quote(path)
