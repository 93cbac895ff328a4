"""From a round's replies to what the coordinator needs of them."""

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from flwr.app import Message

from edgestill.errors import FrameError, RunError
from edgestill.federation.fold import combine, is_summable, read_sum, read_update
from edgestill.federation.messages import METRICS, UPDATE
from edgestill.federation.update import Aggregate, Update
from edgestill.telemetry import log_fields

log = logging.getLogger(__name__)

NO_REPLY = "NoReply"
TRACEBACK = "Traceback (most recent call last):\n"
KIND = re.compile(r"^(?:\w+\.)*([A-Za-z_]\w*)(?::|$)", re.MULTILINE)

Figures = Mapping[str, float]
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """A round's replies, sorted out.

    Attributes:
        figures: device to its reported figures, in order of device.
        total: the sum of the summable updates.
        updates: device to its update, where the strategy needs each.
        failures: reason to how many devices failed for it.
        first_failure: the first failure's whole text, with its traceback if it had one.
    """

    figures: dict[int, Figures]
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
    """Sort out replies; one that is an error, damaged or missing is counted by reason.

    Args:
        replies: of devices, and sums of cohorts or fogs.
        device_of: node id to device, of all that were asked.
        shapes: name to shape of the full model's arrays; an update holds leading blocks of them.
        fingerprint: of the model, on every frame.
    """
    figures: dict[int, Figures] = {}
    updates: dict[int, Update] = {}
    totals: list[Aggregate | None] = []
    failures: Counter[str] = Counter()
    first_failure = ""
    for reply in replies:
        if reply.has_content() and (total := read_sum(reply)) is not None:
            totals.append(total)
            continue
        device = device_of[reply.metadata.src_node_id]
        try:
            totals.append(_take(reply, device, figures, updates, shapes, fingerprint))
        except (FrameError, RunError) as error:
            text = str(error)
            failures[_reason(reply, text)] += 1
            first_failure = first_failure or text
            with log_fields(device=device, stage="collect"):
                log.error("%s", text.strip().splitlines()[-1])
    missing = len(device_of) - len(figures) - failures.total()
    if missing > 0:
        failures[NO_REPLY] += missing
        first_failure = first_failure or f"{missing} devices gave no reply in time"
    return Collected(
        figures=dict(sorted(figures.items())),
        total=combine(totals),
        updates=dict(sorted(updates.items())),
        failures=failures,
        first_failure=first_failure,
    )


def _take(
    reply: Message,
    device: int,
    figures: dict[int, Figures],
    updates: dict[int, Update],
    shapes: Shapes,
    fingerprint: int,
) -> Aggregate | None:
    """Enter one device's reply; give its update as a sum if it may be summed."""
    if reply.has_error():
        raise RunError(reply.error.reason or f"error {reply.error.code}")
    if METRICS not in reply.content.metric_records:
        raise FrameError(f"reply without {METRICS}")
    total = None
    if UPDATE in reply.content.config_records:
        update = read_update(reply, fingerprint)
        update.check_blocks(shapes)
        if is_summable(reply):
            total = Aggregate.of(update)
        else:
            updates[device] = update
    figures[device] = cast(Figures, dict(reply.content.metric_records[METRICS]))
    return total


def _reason(reply: Message, text: str) -> str:
    """Return a short label of bounded variety: the kind of the exception, or the error's code."""
    if not reply.has_error():
        return "frame"
    # The exception's own text may have many lines; its kind stands where the traceback ends.
    named = KIND.search(text.rpartition(TRACEBACK)[2])
    return named[1] if named else f"code_{reply.error.code}"
