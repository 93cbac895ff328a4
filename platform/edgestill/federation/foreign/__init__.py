"""Anybody's Flower app under our guard: loading, checked replies, the record of its rounds."""

from edgestill.federation.foreign.app import ForeignApp
from edgestill.federation.foreign.grid import AppGrid
from edgestill.federation.foreign.guard import Fault, fault_of
from edgestill.federation.foreign.loading import (
    at_home,
    load_client_app,
    load_server_app,
    seed_everything,
)
from edgestill.federation.foreign.rounds import Round, RoundBook, Work

__all__ = [
    "AppGrid",
    "Fault",
    "ForeignApp",
    "Round",
    "RoundBook",
    "Work",
    "at_home",
    "fault_of",
    "load_client_app",
    "load_server_app",
    "seed_everything",
]
