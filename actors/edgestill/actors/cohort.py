"""An actor that hosts many devices: it runs their app and sums what can be summed."""

import os
from dataclasses import dataclass
from typing import Any, cast

import ray
import torch
from flwr.app import ConfigRecord, Context, Message
from flwr.clientapp import ClientApp

from edgestill.actors.envelopes import Batch
from edgestill.federation import Aggregate, call_app, enter_run, fold
from edgestill.federation.messages import FRAME, KNOWLEDGE, SELECTION

Kinds = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    """The replies of a batch without what was summed, and contexts whose state is not empty."""

    replies: list[Message]
    contexts: list[Context]


class Cohort:
    """Runs devices one after the other on one torch thread."""

    def __init__(self, app: ClientApp, fog: Any, run_id: int, fingerprint: int) -> None:
        torch.set_num_threads(1)
        enter_run(run_id)
        self._app = app
        self._fog = fog
        self._fingerprint = fingerprint

    def ready(self) -> tuple[str, int]:
        """Return, when the actor has started, where: node id and process id."""
        return ray.get_runtime_context().get_node_id(), os.getpid()

    def use(self, app: ClientApp, fingerprint: int) -> None:
        """Run another app from now on."""
        self._app, self._fingerprint = app, fingerprint

    def run(self, batch: Batch) -> tuple[BatchAnswer, Aggregate | None]:
        """Run a batch and return its replies and the sum of its summable updates."""
        messages = batch.whole_messages()
        self._bring_knowledge(messages)
        replies = [
            call_app(self._app, message, context)
            for message, context in zip(messages, batch.contexts, strict=True)
        ]
        folded = fold(replies, self._fingerprint)
        stateful = [context for context in batch.contexts if len(context.state)]
        return BatchAnswer(replies=folded.replies, contexts=stateful), folded.total

    def _bring_knowledge(self, messages: list[Message]) -> None:
        """Replace selections by the selected samples, asking the fog once for each set of kinds."""
        selections = {i: s for i, m in enumerate(messages) if (s := _selection(m)) is not None}
        wanted: dict[Kinds, set[int]] = {}
        for positions, kinds in selections.values():
            wanted.setdefault(kinds, set()).update(positions)
        held = {
            kinds: ray.get(self._fog.knowledge.remote(sorted(positions), kinds))
            for kinds, positions in wanted.items()
        }
        for number, (positions, kinds) in selections.items():
            layout, records = held[kinds]
            frame = layout.join([records[position] for position in positions])
            del messages[number].content[SELECTION]
            messages[number].content[KNOWLEDGE] = ConfigRecord({FRAME: frame})


def _selection(message: Message) -> tuple[list[int], Kinds] | None:
    record = message.content.config_records.get(SELECTION)
    if record is None:
        return None
    return cast(list[int], record["positions"]), tuple(cast(list[str], record["kinds"]))
