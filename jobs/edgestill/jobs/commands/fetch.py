"""``edgestill fetch``: the artefacts of a job that has ended."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from edgestill.jobs.commands.submit import Address, Fetched


def fetch(
    submission_id: Annotated[str, typer.Argument(metavar="SUBMISSION_ID", help="Of the job.")],
    address: Address,
    out: Fetched = None,
) -> None:
    """Fetch the report, the log and the metrics of a submitted job that has ended.

    Checkpoints stay on the head.
    """
    from edgestill.jobs import submission

    head = submission.connect(address)
    for path in head.fetch(submission_id, out or Path("runs") / submission_id):
        sys.stdout.write(f"{path}\n")
