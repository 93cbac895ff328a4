"""An actor that hosts many devices: it runs their app and sums what can be summed."""

import os
import time
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import ray
import torch
from flwr.app import ConfigRecord, Context, Message
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from edgestill.actors.envelopes import Batch, Row, pack
from edgestill.actors.states import Buffer, Restored, StateReport
from edgestill.federation import Aggregate, DeviceApp, Folded, call_app, enter_run, fold
from edgestill.federation.messages import FRAME, KNOWLEDGE, SELECTION
from edgestill.models import use_device

Kinds = tuple[str, ...]
Wanted = tuple[list[int], Kinds, NDArray[np.uint8] | None, bool]
"""Positions, kinds, what each position counts, and whether half of the bits are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    """What comes back of a batch.

    Attributes:
        rows: the replies, packed, without what was summed.
        summed: whether there is a sum.
        states: what became of the devices' states.
        seconds: that the batch took here.
    """

    rows: list[Row]
    summed: bool
    states: StateReport
    seconds: float


class Cohort:
    """Runs devices on one torch thread: together where their app can, else one after the other."""

    def __init__(self, app: ClientApp, run_id: int, fingerprint: int, device: str = "cpu") -> None:
        torch.set_num_threads(1)
        use_device(device)
        enter_run(run_id)
        self._app = app
        self._fog: Any = None
        self._fingerprint = fingerprint

    def ready(self) -> tuple[str, int]:
        """Return, when the actor has started, where: node id and process id."""
        return ray.get_runtime_context().get_node_id(), os.getpid()

    def join(self, fog: Any) -> None:
        """Ask this fog for knowledge from now on."""
        self._fog = fog

    def use(self, app: ClientApp, fingerprint: int) -> None:
        """Run another app from now on."""
        self._app, self._fingerprint = app, fingerprint

    def run(self, batch: Batch) -> tuple[BatchAnswer | Aggregate | dict[int, Buffer] | None, ...]:
        """Run a batch; return its replies, the sum of its summable updates, and new states."""
        began_s = time.perf_counter()
        messages, contexts = batch.messages(), batch.contexts()
        restored = Restored(contexts, batch.states, batch.state_references)
        self._bring_knowledge(messages)
        replies = self._replies(messages, [contexts[m.metadata.dst_node_id] for m in messages])
        folded = (
            fold(replies, self._fingerprint) if batch.fold else Folded(replies=replies, total=None)
        )
        report, objects = restored.packed(batch.parts)
        answer = BatchAnswer(
            rows=[pack(reply) for reply in folded.replies],
            summed=folded.total is not None,
            states=report,
            seconds=time.perf_counter() - began_s,
        )
        return answer, folded.total, *objects

    def _replies(self, messages: list[Message], contexts: list[Context]) -> list[Message]:
        if isinstance(self._app, DeviceApp):
            return self._app.many(messages, contexts)
        pairs = zip(messages, contexts, strict=True)
        return [call_app(self._app, message, context) for message, context in pairs]

    def _bring_knowledge(self, messages: list[Message]) -> None:
        """Replace selections by the selected samples, asking the fog once for each set of kinds."""
        selections = {i: s for i, m in enumerate(messages) if (s := _selection(m)) is not None}
        wanted: dict[Kinds, set[int]] = {}
        for positions, kinds, _, _ in selections.values():
            wanted.setdefault(kinds, set()).update(positions)
        held = {
            kinds: ray.get(self._fog.knowledge.remote(sorted(positions), kinds))
            for kinds, positions in wanted.items()
        }
        for number, (positions, kinds, relevance, lower_rate) in selections.items():
            layout, records = held[kinds]
            chosen = [records[position] for position in positions]
            frame = layout.join(chosen, relevance, lower_rate=lower_rate)
            del messages[number].content[SELECTION]
            messages[number].content[KNOWLEDGE] = ConfigRecord({FRAME: frame})


def _selection(message: Message) -> Wanted | None:
    record = message.content.config_records.get(SELECTION)
    if record is None:
        return None
    levels = cast(bytes | None, record.get("relevance"))
    relevance = None if levels is None else np.frombuffer(levels, np.uint8)
    kinds = tuple(cast(list[str], record["kinds"]))
    lower_rate = bool(record.get("lower-rate", False))
    return cast(list[int], record["positions"]), kinds, relevance, lower_rate
