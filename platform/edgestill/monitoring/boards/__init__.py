"""The dashboards, one file each."""

from edgestill.monitoring.boards.allocation import ALLOCATION
from edgestill.monitoring.boards.cluster import CLUSTER
from edgestill.monitoring.boards.fleet import FLEET
from edgestill.monitoring.boards.privacy import PRIVACY
from edgestill.monitoring.boards.serving import SERVING
from edgestill.monitoring.boards.training import TRAINING

BOARDS = (FLEET, TRAINING, ALLOCATION, PRIVACY, CLUSTER, SERVING)
"""All dashboards, in the order of the links between them."""

__all__ = ["BOARDS"]
