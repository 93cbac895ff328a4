"""The simulated fleet: profiles, traces, what work costs, and all devices on a virtual clock."""

from edgestill.fleet.fleet import Fleet, GroupMeans
from edgestill.fleet.groups import PANEL_SIZE
from edgestill.fleet.host import HostVitals
from edgestill.fleet.meter import CpuLoad, CpuMeter
from edgestill.fleet.profiles import DeviceProfile, profile, profiles
from edgestill.fleet.room import free_memory_bytes
from edgestill.fleet.spend import Spent, Vitals, Work, compute_share, fits, spend
from edgestill.fleet.traces import FleetTrace, Trace, fleet_trace, trace

__all__ = [
    "PANEL_SIZE",
    "CpuLoad",
    "CpuMeter",
    "DeviceProfile",
    "Fleet",
    "FleetTrace",
    "GroupMeans",
    "HostVitals",
    "Spent",
    "Trace",
    "Vitals",
    "Work",
    "compute_share",
    "fits",
    "fleet_trace",
    "free_memory_bytes",
    "profile",
    "profiles",
    "spend",
    "trace",
]
