"""Thin shells that give the platform's objects a process: the only place where Ray appears."""

from edgestill.actors.cluster import check_address, cluster, ending, here, start_actor
from edgestill.actors.driver import RESUMED_FROM, submission
from edgestill.actors.grid import RayGrid
from edgestill.actors.placement import Placement, demand, reserved
from edgestill.actors.pool import Pool
from edgestill.actors.teacher import Teacher, TeacherSource
from edgestill.actors.telemetry import ClusterWatch, Telemetry

__all__ = [
    "RESUMED_FROM",
    "ClusterWatch",
    "Placement",
    "Pool",
    "RayGrid",
    "Teacher",
    "TeacherSource",
    "Telemetry",
    "check_address",
    "cluster",
    "demand",
    "ending",
    "here",
    "reserved",
    "start_actor",
    "submission",
]
