"""The inference service on Ray: replicas that come and go; needs a web framework."""

from edgestill.actors.serving.replica import Bound, Endpoint, Load
from edgestill.actors.serving.replicas import Replicas
from edgestill.actors.serving.shipped import ShippedModel

__all__ = ["Bound", "Endpoint", "Load", "Replicas", "ShippedModel"]
