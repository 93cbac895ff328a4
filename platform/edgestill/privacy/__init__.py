"""What a release may reveal: clipping, noise, and the account of both."""

from edgestill.privacy.accounting import gaussian_epsilon, sample_epsilon
from edgestill.privacy.ledger import Ledger, Release
from edgestill.privacy.mechanisms import add_gaussian_noise, clip_by_norm

__all__ = [
    "Ledger",
    "Release",
    "add_gaussian_noise",
    "clip_by_norm",
    "gaussian_epsilon",
    "sample_epsilon",
]
