"""Anybody's Flower app on our fleet: read its folder, run it, report."""

from edgestill.jobs.flower.project import AppProject, read_project
from edgestill.jobs.flower.running import AppRun, Plan, run_app

__all__ = ["AppProject", "AppRun", "Plan", "read_project", "run_app"]
