"""Flower's Grid in this process, one device after the other: for tests, notebooks and debugging.

The same messages and the same apps as on a fleet, without any engine; an error in a device's code
is reported as Flower's engine reports it, with the traceback.
"""

import uuid
from collections.abc import Iterable, Iterator

from flwr.app import Context, Message, RecordDict, UserConfig
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from edgestill.federation.attempt import attempt

FIRST_NODE_ID = 2
"""Flower keeps node 1 for the SuperLink."""


def enter_run(run_id: int) -> Run:
    """Give this process the identity that Flower's messages need, and return the run."""
    TaskIdentity.run_id = run_id
    TaskIdentity.node_id = 1
    TaskIdentity.task_id = 1
    return Run.create_empty(run_id=run_id)


class NodeContexts:
    """The contexts of devices 0..N-1 by node id, made by rule when a node is first asked.

    Only those are held that hold something: a state, or another node configuration than the rule's.
    """

    def __init__(self, devices: int, run_id: int) -> None:
        self._nodes = range(FIRST_NODE_ID, FIRST_NODE_ID + devices)
        self._run_id = run_id
        self._held: dict[int, Context] = {}

    def __len__(self) -> int:
        """Return how many are held."""
        return len(self._held)

    def __getitem__(self, node_id: int) -> Context:
        """Return a node's context; raises KeyError for a node that is none of the devices'."""
        if (held := self._held.get(node_id)) is not None:
            return held
        return Context(
            run_id=self._run_id,
            node_id=node_id,
            node_config=self._node_config(node_id),
            state=RecordDict(),
            run_config={},
        )

    def __setitem__(self, node_id: int, context: Context) -> None:
        """Keep a context, if there is anything in it to be kept."""
        if len(context.state) or context.node_config != self._node_config(node_id):
            self._held[node_id] = context
        else:
            self._held.pop(node_id, None)

    def _node_config(self, node_id: int) -> UserConfig:
        if node_id not in self._nodes:
            raise KeyError(f"node {node_id}: the devices are nodes {self._nodes}")
        return {"partition-id": node_id - FIRST_NODE_ID, "num-partitions": len(self._nodes)}


def call_app(app: ClientApp, message: Message, context: Context) -> Message:
    """Run an app on one message; whatever it raises becomes an error reply with the traceback."""
    return attempt(message, lambda: app(message, context))


class FleetGrid(Grid):
    """What every grid over a fleet of N devices has in common: the run and the nodes' contexts.

    Device d is node ``FIRST_NODE_ID + d``, so nobody has to be asked who he is.
    """

    def __init__(self, devices: int, run_id: int) -> None:
        self._run = enter_run(run_id)
        self._devices = devices
        self._contexts = NodeContexts(devices, run_id)

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
        return range(FIRST_NODE_ID, FIRST_NODE_ID + self._devices)


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
            self._replies[identifier] = self._answer(message)
            identifiers.append(identifier)
        return identifiers

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies to these messages, each once."""
        present = [identifier for identifier in message_ids if identifier in self._replies]
        return [self._replies.pop(identifier) for identifier in present]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterator[Message]:
        """Run messages one by one, each when the reply to it is asked for.

        So neither messages nor replies pile up. ``timeout`` has no meaning where nothing is waited
        for.
        """
        del timeout
        for message in messages:
            set_message_id(message)
            yield self._answer(message)

    def _answer(self, message: Message) -> Message:
        node_id = message.metadata.dst_node_id
        context = self._contexts[node_id]
        answer = call_app(self._app, message, context)
        self._contexts[node_id] = context
        return answer


def exchange(grid: Grid, messages: Iterable[Message], timeout_s: float) -> Iterable[Message]:
    """Send messages and return the replies.

    A grid of ours takes messages as they are made and gives replies as they come; Flower's own go
    over the messages more than once.
    """
    sent = messages if isinstance(grid, FleetGrid) else list(messages)
    return grid.send_and_receive(sent, timeout=timeout_s)


def set_message_id(message: Message) -> str:
    """Give a message its id, as Flower's SuperLink does on receipt."""
    identifier = str(uuid.uuid4())
    message.metadata.__dict__["_message_id"] = identifier
    return identifier
