"""Thin shells that give the platform's objects a process: the only place where Ray appears."""

from edgestill.actors.cluster import check_address, cluster, start_actor
from edgestill.actors.grid import RayGrid
from edgestill.actors.pool import Pool
from edgestill.actors.teacher import Teacher, TeacherSource
from edgestill.actors.telemetry import Telemetry

__all__ = [
    "Pool",
    "RayGrid",
    "Teacher",
    "TeacherSource",
    "Telemetry",
    "check_address",
    "cluster",
    "start_actor",
]
