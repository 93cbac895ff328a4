"""Flower's Grid in this process, one device after the other: for tests, notebooks and debugging.

The same messages and the same apps as on a fleet, without any engine; an error in a device's code
is reported as Flower's engine reports it, with the traceback.
"""

import traceback
import uuid
from collections.abc import Iterable

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

FIRST_NODE_ID = 2
"""Flower keeps node 1 for the SuperLink."""


def enter_run(run_id: int) -> Run:
    """Give this process the identity that Flower's messages need, and return the run."""
    TaskIdentity.run_id = run_id
    TaskIdentity.node_id = 1
    TaskIdentity.task_id = 1
    return Run.create_empty(run_id=run_id)


def node_contexts(devices: int, run_id: int) -> dict[int, Context]:
    """Return a context by node id for devices 0..N-1."""
    return {
        FIRST_NODE_ID + device: Context(
            run_id=run_id,
            node_id=FIRST_NODE_ID + device,
            node_config={"partition-id": device, "num-partitions": devices},
            state=RecordDict(),
            run_config={},
        )
        for device in range(devices)
    }


def call_app(app: ClientApp, message: Message, context: Context) -> Message:
    """Run an app on one message; whatever it raises becomes an error reply with the traceback."""
    try:
        answer = app(message, context)
    except Exception:
        error = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, traceback.format_exc())
        return Message(error, reply_to=message)
    return answer


class FleetGrid(Grid):
    """What every grid over a fleet of N devices has in common: the run and the nodes' contexts."""

    def __init__(self, devices: int, run_id: int) -> None:
        self._run = enter_run(run_id)
        self._contexts = node_contexts(devices, run_id)

    def set_run(self, run: Run) -> None:
        """Set the run."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a message of this run."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Return all nodes."""
        return list(self._contexts)


class LocalGrid(FleetGrid):
    """Runs a ClientApp for N devices in this process."""

    def __init__(self, app: ClientApp, devices: int, run_id: int = 1) -> None:
        super().__init__(devices, run_id)
        self._app = app
        self._replies: dict[str, Message] = {}

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Run each message at once and keep its reply until it is pulled."""
        identifiers = []
        for message in messages:
            identifier = set_message_id(message)
            node_id = message.metadata.dst_node_id
            self._replies[identifier] = call_app(self._app, message, self._contexts[node_id])
            identifiers.append(identifier)
        return identifiers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies to these messages, each once."""
        present = [identifier for identifier in message_ids if identifier in self._replies]
        return [self._replies.pop(identifier) for identifier in present]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Run messages one by one; ``timeout`` has no meaning where nothing is waited for."""
        del timeout
        return self.pull_messages(self.push_messages(messages))


def set_message_id(message: Message) -> str:
    """Give a message its id, as Flower's SuperLink does on receipt."""
    identifier = str(uuid.uuid4())
    message.metadata.__dict__["_message_id"] = identifier
    return identifier
