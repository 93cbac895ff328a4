"""What a run leaves behind: report.json, report.html, the closing table; and progress meanwhile."""

from edgestill.report.closing import closing_group, closing_table
from edgestill.report.environment import versions_and_hardware
from edgestill.report.files import read_report, write_report
from edgestill.report.progress import Advance, show_progress
from edgestill.report.schema import SCHEMA, Report

__all__ = [
    "SCHEMA",
    "Advance",
    "Report",
    "closing_group",
    "closing_table",
    "read_report",
    "show_progress",
    "versions_and_hardware",
    "write_report",
]
