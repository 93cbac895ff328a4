"""The driver's end of the live page: what it tells the page, without ever waiting for it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import ray

from edgestill.actors.page import start_page
from edgestill.errors import EdgestillError
from edgestill.federation import Checkpoint
from edgestill.jobs.run_folder import RunFolder
from edgestill.page import (
    Event,
    LogLine,
    RoundEnded,
    RoundStarted,
    RunEnded,
    RunStarted,
    StageAdvanced,
    read_gauges,
)
from edgestill.telemetry import Contents, current_fields

log = logging.getLogger(__name__)

MOST_WAITING = 10_000
"""Events kept for a page that does not keep up; then the oldest are dropped."""

CLOSE_S = 5.0
LONGEST_LINE = 2_000


class LivePage:
    """Tells the page how far the run is; an :class:`edgestill.jobs.watching.Audience`.

    Args:
        put: takes an event and returns at once.
    """

    def __init__(self, put: Callable[[Event], None]) -> None:
        self._put = put
        self.result: RunEnded | None = None

    def stage_advanced(self, stage: str, done: int, total: int | None, detail: str) -> None:
        """A stage has come this far."""
        self._put(StageAdvanced(stage=stage, done=done, total=total, detail=detail))

    def round_started(self, round_number: int, participants: int, contents: Contents) -> None:
        """A round begins; ``contents`` are the metrics'."""
        gauges = read_gauges(contents)
        self._put(RoundStarted(round_number=round_number, participants=participants, gauges=gauges))

    def round_ended(self, row: Mapping[str, Any], contents: Contents) -> None:
        """A round is over."""
        self._put(RoundEnded(row=row, gauges=read_gauges(contents)))

    def finished(self, accuracy: float, report: str) -> None:
        """The run has come to its end and its report is written."""
        said = f"accuracy {100 * accuracy:.1f} %"
        self.result = RunEnded(outcome="done", said=said, report=report, ended_s=time.time())


@contextmanager
def live_page(folder: RunFolder, port: int, resume_from: Checkpoint | None) -> Iterator[LivePage]:
    """Serve the page of a run inside the block, and let it say how the run ended.

    Raises:
        InputError: the port cannot be bound.
    """
    page = start_page(port)
    courier = _Courier(page, ray.get(page.start.remote()))
    lines = _Lines(courier.put)
    live = LivePage(courier.put)
    for event in _beginning(folder, resume_from):
        courier.put(event)
    logging.getLogger("edgestill").addHandler(lines)
    try:
        yield live
        if live.result is not None:
            courier.put(live.result)
    except BaseException as error:
        courier.put(_ended_by(error))
        raise
    finally:
        logging.getLogger("edgestill").removeHandler(lines)
        courier.close()


def _beginning(folder: RunFolder, resume_from: Checkpoint | None) -> Iterator[Event]:
    config = folder.config
    yield RunStarted(
        name=config.name,
        folder=str(folder.path),
        rounds=config.federation.rounds,
        profiles={group.name: group.profile for group in config.fleet.groups},
        policy=config.allocation.policy,
        delta=config.privacy.delta,
        epsilon_budget=config.privacy.epsilon_budget,
        started_s=time.time(),
    )
    for row in resume_from.plain["rows"] if resume_from else ():
        yield RoundEnded(row=row, gauges=None)


def _ended_by(error: BaseException) -> RunEnded:
    if isinstance(error, KeyboardInterrupt):
        said = "its checkpoints are kept; --resume takes it up"
        return RunEnded(outcome="interrupted", said=said, report=None, ended_s=time.time())
    said = str(error) if isinstance(error, EdgestillError) else type(error).__name__
    return RunEnded(outcome="failed", said=said, report=None, ended_s=time.time())


class _Lines(logging.Handler):
    """Passes on every line of the log with its fields."""

    def __init__(self, put: Callable[[Event], None]) -> None:
        super().__init__(logging.INFO)
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        fields = current_fields()
        self._put(
            LogLine(
                time_s=record.created,
                level=record.levelname,
                text=record.getMessage()[:LONGEST_LINE],
                round_number=fields.get("round", ""),
                device=fields.get("device", ""),
                stage=fields.get("stage", ""),
            )
        )


class _Courier:
    """Brings events to the page's actor from a thread of its own, as many at a time as wait."""

    def __init__(self, page: Any, port: int) -> None:
        log.info("page at http://127.0.0.1:%d", port)
        self._page = page
        self._waiting: deque[Event] = deque(maxlen=MOST_WAITING)
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        self._waiting.append(event)
        self._wake.set()

    def close(self) -> None:
        """Bring what waits, let the browsers show it, and end; a stuck page is left alone."""
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        try:
            while not self._closing or self._waiting:
                self._wake.wait()
                self._wake.clear()
                self._bring()
            ray.get(self._page.close.remote(), timeout=CLOSE_S)
        except ray.exceptions.RayError as error:
            log.warning("the page is lost (%s); the run goes on", type(error).__name__)

    def _bring(self) -> None:
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if waiting:
            ray.get(self._page.take.remote(waiting))
