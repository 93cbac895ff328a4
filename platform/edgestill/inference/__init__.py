"""Joint inference of device and server: which half runs where, and what travels between them."""

from edgestill.inference.answer import Answer
from edgestill.inference.client import CloudClient, EdgeClient, JointAnswer

__all__ = ["Answer", "CloudClient", "EdgeClient", "JointAnswer"]
