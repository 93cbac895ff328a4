"""Flower's apps for selective distillation: rounds, strategies, updates, checkpoints."""

from edgestill.federation.aggregation.fold import Folded, combine, fold, sum_message
from edgestill.federation.aggregation.strategies import STRATEGIES, make_strategy
from edgestill.federation.aggregation.update import Aggregate, Update
from edgestill.federation.alone import AloneCoordinator, alone_config, without_teacher
from edgestill.federation.central import distil_centrally
from edgestill.federation.coordination.checkpoint import Checkpoint, CheckpointFolder
from edgestill.federation.coordination.coordinator import Coordinator
from edgestill.federation.coordination.run_state import RunState, model_of
from edgestill.federation.coordination.server_app import make_server_app
from edgestill.federation.coordination.surroundings import Observer, Surroundings
from edgestill.federation.device.app import DeviceApp, make_client_app
from edgestill.federation.local_grid import (
    FIRST_NODE_ID,
    FleetGrid,
    LocalGrid,
    NodeContexts,
    call_app,
    enter_run,
    set_message_id,
)
from edgestill.federation.memory.estimate import estimate_footprint
from edgestill.federation.memory.footprint import Footprint
from edgestill.federation.personal import evaluate_personally
from edgestill.federation.roster.members import Member, Members
from edgestill.federation.sources import (
    BankSource,
    KnowledgeSource,
    NoSource,
    Selection,
    SelectionRequest,
)
from edgestill.federation.teaching import Taught, load_taught, load_teacher, save_taught, teach
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
    "DeviceApp",
    "FleetGrid",
    "Folded",
    "Footprint",
    "KnowledgeSource",
    "LocalGrid",
    "Member",
    "Members",
    "NoSource",
    "NodeContexts",
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
    "estimate_footprint",
    "evaluate_personally",
    "fold",
    "load_taught",
    "load_teacher",
    "make_client_app",
    "make_server_app",
    "make_strategy",
    "model_of",
    "save_taught",
    "set_message_id",
    "sum_message",
    "teach",
    "without_teacher",
    "world_of",
]
