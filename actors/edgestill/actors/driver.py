"""Whether this process is the driver of a job that was submitted to a cluster."""

import json
import os
from dataclasses import dataclass

JOB_CONFIG = "RAY_JOB_CONFIG_JSON_ENV_VAR"
ADDRESS = "RAY_ADDRESS"
"""Ray sets both for the command of a submitted job; its workers have neither."""

RESUMED_FROM = "resumed_from"
"""Key of the metadata of a job that takes another one up: the other's submission id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The submitted job whose command this process runs.

    Attributes:
        id: submission id.
        address: ``HOST:PORT`` of the GCS of the cluster that the job was submitted to.
        brings_folder: whether this process has to give the actors a copy of the folder that it
            works in, because the job was submitted without one.
    """

    id: str
    address: str
    brings_folder: bool


def submission() -> Submission | None:
    """Return the job that this process is the driver of; None outside a job."""
    text, address = os.environ.get(JOB_CONFIG), os.environ.get(ADDRESS)
    if not text or not address:
        return None
    job = json.loads(text)
    metadata = job.get("metadata") or {}
    if "job_submission_id" not in metadata:
        return None
    return Submission(
        id=metadata["job_submission_id"],
        address=address,
        brings_folder=RESUMED_FROM in metadata and "working_dir" not in job.get("runtime_env", {}),
    )
