"""The device's side of joint inference: it asks the cloud, and answers itself where none comes."""

from edgestill.inference.client.answered import JointAnswer
from edgestill.inference.client.breaker import CircuitBreaker
from edgestill.inference.client.cloud import CloudAnswer, CloudClient
from edgestill.inference.client.device import EdgeClient
from edgestill.inference.client.errors import CloudError
from edgestill.inference.client.half import EdgeHalf, Glance, Inputs
from edgestill.inference.client.link import LinkEstimate

__all__ = [
    "CircuitBreaker",
    "CloudAnswer",
    "CloudClient",
    "CloudError",
    "EdgeClient",
    "EdgeHalf",
    "Glance",
    "Inputs",
    "JointAnswer",
    "LinkEstimate",
]
