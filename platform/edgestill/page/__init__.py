"""The live page of a run: what it is told, what it shows, and the server that shows it.

The server (``edgestill.page.server``) brings a web framework along and is imported by who needs it.
"""

from edgestill.page.events import (
    Event,
    LogLine,
    RoundEnded,
    RoundStarted,
    RunEnded,
    RunStarted,
    StageAdvanced,
)
from edgestill.page.gauges import read_gauges
from edgestill.page.view import RunView, fold

__all__ = [
    "Event",
    "LogLine",
    "RoundEnded",
    "RoundStarted",
    "RunEnded",
    "RunStarted",
    "RunView",
    "StageAdvanced",
    "fold",
    "read_gauges",
]
