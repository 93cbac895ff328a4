"""The device's side of joint inference: it asks the cloud, and answers itself where none comes."""

from edgestill.inference.client.breaker import CircuitBreaker
from edgestill.inference.client.cloud import CloudAnswer, CloudClient, CloudError
from edgestill.inference.client.device import EdgeClient, EdgeHalf, Glance, Inputs, JointAnswer
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
