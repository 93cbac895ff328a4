"""The figures of a report, as plain objects for plotly.js; plotly itself is not needed here."""

from edgestill.report.figures.cost import participation, spending, traffic
from edgestill.report.figures.learning import accuracy, coefficients, losses
from edgestill.report.figures.levels import devices_by_level, group_levels
from edgestill.report.figures.plot import Figure
from edgestill.report.figures.selection import selection
from edgestill.report.schema import Report

__all__ = ["Figure", "figures"]

_OF_ROUNDS = (
    *(accuracy, group_levels, devices_by_level, traffic, spending, participation),
    *(losses, coefficients),
)


def figures(report: Report) -> list[Figure]:
    """Return the figures of a report in reading order, those without data left out."""
    made = [make(report) for make in _OF_ROUNDS] if report["rounds"] else []
    return [figure for figure in (*made, selection(report)) if figure is not None]
