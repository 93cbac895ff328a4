"""How long a device's message will take: learned from what was measured before."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from flwr.app import Message

from edgestill.federation.messages import ALLOCATION

UNKNOWN_S = 1.0
"""What a unit of any work is taken to cost before anything was measured; only ratios count then."""

NEWEST_SHARE = 0.5
"""How much the newest measurement counts against those before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one message asks for.

    Attributes:
        kind: equal for messages whose devices do the same: these go out together.
        amount: how much of it, such as examples, above 0; time is taken to grow with it.
    """

    kind: Hashable
    amount: float


class WorkOf:
    """Reads the work off a message: its type and its allocation, times the device's examples."""

    def __init__(self, examples_of: Callable[[int], int] | None = None) -> None:
        """Take the number of examples by node id; without it all devices count the same."""
        self._examples_of = examples_of

    def __call__(self, message: Message) -> Work:
        """Return a message's work."""
        metadata = message.metadata
        amount = 1 if self._examples_of is None else self._examples_of(metadata.dst_node_id)
        kind = (metadata.message_type, _allocated(message))
        return Work(kind=kind, amount=max(1.0, float(amount)))


class Pace:
    """Seconds for a unit of each kind of work, by the node of the cluster that does it."""

    def __init__(self) -> None:
        self._rates: dict[tuple[Hashable, str], float] = {}
        self._means: dict[Hashable, float] = {}

    def known(self) -> bool:
        """Return whether anything was measured."""
        return bool(self._means)

    def learn(self, kind: Hashable, node: str, amount: float, seconds: float) -> None:
        """Take in that so much work took so long on a node."""
        rate = seconds / amount
        key = (kind, node)
        self._rates[key] = _newer(self._rates.get(key), rate)
        self._means[kind] = _newer(self._means.get(kind), rate)

    def seconds(self, kind: Hashable, amount: float, node: str | None = None) -> float:
        """Return how long work will take on a node, or on any."""
        mean = self._means.get(kind)
        if mean is None:
            mean = _mean(self._means.values())
        rate = mean if node is None else self._rates.get((kind, node), mean)
        return amount * rate


def _newer(before: float | None, newest: float) -> float:
    return newest if before is None else (1 - NEWEST_SHARE) * before + NEWEST_SHARE * newest


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return sum(known) / len(known) if known else UNKNOWN_S


def _allocated(message: Message) -> Hashable:
    record = message.content.get(ALLOCATION)
    if record is None:
        return None
    values = cast(dict[str, Any], record)
    return tuple(_hashable(values.get(key)) for key in ("modalities", "shares", "width", "epochs"))


def _hashable(value: Any) -> Hashable:
    return tuple(value) if isinstance(value, list) else cast(Hashable, value)
