"""The main job as a Ray job: staged, submitted over HTTP, followed, its artefacts fetched back."""

from edgestill.jobs.submission.artefacts import ARTEFACTS, archive_name, pack, unpack
from edgestill.jobs.submission.head import Head, connect
from edgestill.jobs.submission.job import DEFAULT_STORAGE, Job, new_job, resumed_job
from edgestill.jobs.submission.staging import Staged, as_nodes_see_it, stage, stage_package

__all__ = [
    "ARTEFACTS",
    "DEFAULT_STORAGE",
    "Head",
    "Job",
    "Staged",
    "archive_name",
    "as_nodes_see_it",
    "connect",
    "new_job",
    "pack",
    "resumed_job",
    "stage",
    "stage_package",
    "unpack",
]
