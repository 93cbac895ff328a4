"""Flower's apps for selective distillation: rounds, strategies, updates, checkpoints."""

from edgestill.federation.alone import AloneCoordinator, alone_config, without_teacher
from edgestill.federation.central import distil_centrally
from edgestill.federation.checkpoint import Checkpoint, CheckpointFolder
from edgestill.federation.client_app import make_client_app
from edgestill.federation.coordinator import Coordinator
from edgestill.federation.fold import Folded, combine, fold, sum_message
from edgestill.federation.local_grid import (
    FIRST_NODE_ID,
    FleetGrid,
    LocalGrid,
    call_app,
    enter_run,
    node_contexts,
    set_message_id,
)
from edgestill.federation.participants import Member
from edgestill.federation.run_state import RunState
from edgestill.federation.server_app import make_server_app
from edgestill.federation.sources import (
    BankSource,
    KnowledgeSource,
    NoSource,
    Selection,
    SelectionRequest,
)
from edgestill.federation.strategies import STRATEGIES, make_strategy
from edgestill.federation.surroundings import Observer, Surroundings
from edgestill.federation.teaching import Taught, load_taught, save_taught, teach
from edgestill.federation.update import Aggregate, Update
from edgestill.federation.world import World, world_of

__all__ = [
    "FIRST_NODE_ID",
    "STRATEGIES",
    "Aggregate",
    "AloneCoordinator",
    "BankSource",
    "Checkpoint",
    "CheckpointFolder",
    "Coordinator",
    "FleetGrid",
    "Folded",
    "KnowledgeSource",
    "LocalGrid",
    "Member",
    "NoSource",
    "Observer",
    "RunState",
    "Selection",
    "SelectionRequest",
    "Surroundings",
    "Taught",
    "Update",
    "World",
    "alone_config",
    "call_app",
    "combine",
    "distil_centrally",
    "enter_run",
    "fold",
    "load_taught",
    "make_client_app",
    "make_server_app",
    "make_strategy",
    "node_contexts",
    "save_taught",
    "set_message_id",
    "sum_message",
    "teach",
    "without_teacher",
    "world_of",
]
