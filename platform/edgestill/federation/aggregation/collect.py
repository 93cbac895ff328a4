"""From a round's replies to what the coordinator needs of them."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flwr.app import Message, MetricRecord

from edgestill.errors import FrameError, RunError
from edgestill.federation.aggregation.fold import (
    SUM_KEYS,
    combine,
    is_summable,
    read_sum,
    read_update,
)
from edgestill.federation.aggregation.update import Aggregate, Update
from edgestill.federation.messages import METRICS, UPDATE
from edgestill.federation.table import FigureTable, TableBuilder
from edgestill.telemetry import log_fields

log = logging.getLogger(__name__)

NO_REPLY = "NoReply"
TRACEBACK = "Traceback (most recent call last):\n"
KIND = re.compile(r"^(?:\w+\.)*([A-Za-z_]\w*)(?::|$)", re.MULTILINE)

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A round's replies, sorted out.

    Attributes:
        figures: what the devices reported, by device.
        total: the sum of the summable updates.
        updates: device to its update, where the strategy needs each.
        failures: reason to how many devices failed for it.
        first_failure: the first failure's whole text, with its traceback if it had one.
    """

    figures: FigureTable
    total: Aggregate | None
    updates: dict[int, Update]
    failures: Counter[str]
    first_failure: str


def collect(
    replies: Iterable[Message],
    device_of: Mapping[int, int],
    *,
    shapes: Shapes,
    fingerprint: int,
) -> Collected:
    """Sort out replies as they come; one that is an error, damaged or missing counts by reason.

    No reply is kept: of what may be summed there is one sum, of the figures there are columns.

    Args:
        replies: of devices, and sums of cohorts or fogs.
        device_of: node id to device, of all that were asked.
        shapes: name to shape of the full model's arrays; an update holds leading blocks of them.
        fingerprint: of the model, on every frame.
    """
    rows = TableBuilder(list(device_of.values()))
    updates: dict[int, Update] = {}
    total: Aggregate | None = None
    failures: Counter[str] = Counter()
    first_failure = ""
    for reply in replies:
        if (one := _sum_of(reply)) is not None:
            total = combine([total, one])
            continue
        device = device_of[reply.metadata.src_node_id]
        try:
            total = combine([total, _take(reply, device, rows, updates, shapes, fingerprint)])
        except (FrameError, RunError) as error:
            text = str(error)
            failures[_reason(reply, text)] += 1
            first_failure = first_failure or text
            with log_fields(device=device, stage="collect"):
                log.error("%s", text.strip().splitlines()[-1])
    missing = len(device_of) - len(rows) - failures.total()
    if missing > 0:
        failures[NO_REPLY] += missing
        first_failure = first_failure or f"{missing} devices gave no reply in time"
    return Collected(
        figures=rows.table(),
        total=total,
        updates=dict(sorted(updates.items())),
        failures=failures,
        first_failure=first_failure,
    )


def _sum_of(reply: Message) -> Aggregate | None:
    return read_sum(reply) if reply.has_content() and SUM_KEYS in reply.content else None


def _take(
    reply: Message,
    device: int,
    rows: TableBuilder,
    updates: dict[int, Update],
    shapes: Shapes,
    fingerprint: int,
) -> Aggregate | None:
    """Enter one device's reply; give its update as a sum if it may be summed."""
    if reply.has_error():
        raise RunError(reply.error.reason or f"error {reply.error.code}")
    metrics = reply.content.get(METRICS)
    if not isinstance(metrics, MetricRecord):
        raise FrameError(f"reply without {METRICS}")
    total, update = None, None
    if UPDATE in reply.content:
        update = read_update(reply, fingerprint)
        update.check_blocks(shapes)
        total = Aggregate.of(update) if is_summable(reply) else None
    rows.enter(device, metrics)
    if update is not None and total is None:
        updates[device] = update
    return total


def _reason(reply: Message, text: str) -> str:
    """Return a short label of bounded variety: the kind of the exception, or the error's code."""
    if not reply.has_error():
        return "frame"
    # The exception's own text may have many lines; its kind stands where the traceback ends.
    named = KIND.search(text.rpartition(TRACEBACK)[2])
    return named[1] if named else f"code_{reply.error.code}"
