"""A cluster's head over HTTP: its jobs, their logs, and the archives that they leave."""

import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import httpx
import ray
import requests
from ray.job_submission import JobDetails, JobSubmissionClient

from edgestill.errors import InputError, RunError
from edgestill.jobs.submission.artefacts import LARGEST_ARCHIVE_BYTES, archive_name, unpack
from edgestill.jobs.submission.job import Job
from edgestill.jobs.submission.staging import Staged

PROBE_TIMEOUT_S = 5.0
ENDED_TIMEOUT_S = 60.0
"""How long after the end of a job's log its status may still say that it runs."""

POLL_S = 0.5
STOP_WAIT_S = 30
"""Between SIGTERM and SIGKILL, instead of Ray's 3 s: actors are ended and artefacts packed."""

CHATTY = ("ray.dashboard.modules.job.sdk", "ray.dashboard.modules.dashboard_sdk")
"""Loggers that set a level of their own."""

AGENT_WAIT_S = 30.0
NO_AGENT = "No available agent"
"""What a head answers in the first seconds after its start."""

DRIVER_BYTES = 512 << 20
"""Reserved for each driver, so that the drivers of waiting jobs do not fill the head's memory."""

ON_THE_HEAD = {"node:__internal_head__": 0.001}
"""Runs are kept on the head, and Ray would start a driver that reserves memory on any node."""

OVERRIDES_ADDRESS = ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS")
FAILURES = (RuntimeError, ConnectionError, requests.RequestException)
"""What Ray's client raises where the head refuses, or is gone."""


def connect(address: str) -> "Head":
    """Return the head whose dashboard is at a URL.

    Raises:
        InputError: it is no URL, nothing answers within five seconds, what answers is no Ray, or
            the cluster's Ray is of another version.
    """
    _check_url(address)
    _check_version(address)
    try:
        # Ray would let these win over the address that was given.
        with _without_environment(OVERRIDES_ADDRESS):
            return Head(address, JobSubmissionClient(address))
    except FAILURES as error:
        raise InputError(f"--address {address}: Ray refused: {_line(error)}") from error


class Head:
    """Ray's own client, whose failures are told in one line."""

    def __init__(self, address: str, client: JobSubmissionClient) -> None:
        self.address = address
        self._client = client
        for name in ("ray", *CHATTY):
            logging.getLogger(name).setLevel(logging.WARNING)

    def submit(self, job: Job, staged: Staged | Path) -> None:
        """Send a job with what was staged for it, or with the package alone.

        Raises:
            RunError: the head refused it.
        """
        environment: dict[str, Any] = {"env_vars": {"RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S)}}
        if isinstance(staged, Path):
            environment["py_modules"] = [str(staged)]
        else:
            environment["py_modules"] = [str(staged.package)]
            environment["working_dir"] = str(staged.inputs)
        end = time.monotonic() + AGENT_WAIT_S
        while True:
            try:
                self._client.submit_job(
                    entrypoint=job.entrypoint,
                    submission_id=job.id,
                    runtime_env=environment,
                    metadata=dict(job.metadata),
                    entrypoint_memory=DRIVER_BYTES,
                    entrypoint_resources=ON_THE_HEAD,
                )
            except (*FAILURES, ValueError) as error:
                if NO_AGENT not in str(error) or time.monotonic() > end:
                    raise RunError(f"{self.address} refused the job: {_line(error)}") from error
                time.sleep(POLL_S)
            else:
                return

    def details(self, submission_id: str) -> JobDetails:
        """Return what the head knows of a job.

        Raises:
            InputError: it knows none of that id, or is gone.
        """
        try:
            return self._client.get_job_info(submission_id)
        except FAILURES as error:
            raise InputError(
                f"{submission_id}: {self.address} knows no such job: {_line(error)}"
            ) from error

    def follow(self, submission_id: str) -> JobDetails:
        """Print a job's log as it grows, and return what is known of the job once it has ended.

        Raises:
            RunError: the connection was lost while the job went on.
        """
        try:
            asyncio.run(self._print_log(submission_id))
        except (*FAILURES, OSError, aiohttp.ClientError) as error:
            raise RunError(f"{self.address} was lost while following: {_line(error)}") from error
        # The status is written after the log is closed.
        end = time.monotonic() + ENDED_TIMEOUT_S
        while not (details := self.details(submission_id)).status.is_terminal():
            if time.monotonic() > end:
                raise RunError(f"{submission_id}: its log ended and it is {details.status.value}")
            time.sleep(POLL_S)
        return details

    def fetch(self, submission_id: str, out: Path) -> list[Path]:
        """Write the artefacts of a job that has ended into a new folder and return their paths.

        Raises:
            InputError: the job goes on, or ``out`` holds something.
            RunError: the job left nothing, or it cannot be had.
        """
        details = self.details(submission_id)
        if not details.status.is_terminal():
            raise InputError(f"{submission_id} is {details.status.value}: fetch it after its end")
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "artefacts.zip"
            self._download(details.driver_node_id, archive_name(submission_id), archive)
            return unpack(archive, out)

    async def _print_log(self, submission_id: str) -> None:
        async for lines in self._client.tail_job_logs(submission_id):
            sys.stdout.write(lines)
            sys.stdout.flush()

    def _download(self, node_id: str | None, name: str, target: Path) -> None:
        # Dashboards serve every file among a node's logs; lines=-1 is the whole of it.
        query = urlencode({"node_id": node_id, "filename": name, "lines": -1})
        try:
            response = self._client._do_request(
                "GET", f"/api/v0/logs/file?{query}", stream=True, timeout=ENDED_TIMEOUT_S
            )
            with response, target.open("wb") as file:
                if response.status_code != httpx.codes.OK:
                    raise RunError(f"{self.address} has no {name}: the job left no artefacts")
                for chunk in response.iter_content(chunk_size=1 << 16):
                    file.write(chunk)
                    if file.tell() > LARGEST_ARCHIVE_BYTES:
                        limit = f"{LARGEST_ARCHIVE_BYTES / 1e6:.0f} MB"
                        raise RunError(f"{name} exceeds {limit}; it stays on the head")
        except FAILURES as error:
            raise RunError(f"{name} cannot be fetched: {_line(error)}") from error


def _check_url(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise InputError(
            f"--address {address}: expected the URL of the head's dashboard, such as "
            "http://10.0.0.5:8265"
        )


def _check_version(address: str) -> None:
    try:
        answer = httpx.get(f"{address.rstrip('/')}/api/version", timeout=PROBE_TIMEOUT_S)
    except httpx.HTTPError as error:
        raise InputError(
            f"--address {address}: no Ray dashboard answers there ({type(error).__name__}); is the "
            "head started, and is this its dashboard's port (default 8265)?"
        ) from error
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return  # a head that wants a token is asked again by Ray's client, which has it
    try:
        theirs = answer.json()["ray_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"--address {address}: what answers is not a Ray dashboard (HTTP {answer.status_code})"
        ) from error
    if theirs != ray.__version__:
        raise InputError(
            f"--address {address}: the head runs Ray {theirs}, this is Ray {ray.__version__}; "
            "install the same version on both"
        )


@contextmanager
def _without_environment(names: tuple[str, ...]) -> Iterator[None]:
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:300] if text else type(error).__name__
