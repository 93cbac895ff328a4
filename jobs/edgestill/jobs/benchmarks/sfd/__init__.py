"""Does it pay to distil only what is relevant? Personal accuracy against bytes, and what leaks.

A device receives a share of the teacher's public samples, chosen by a policy, and distils from them
beside the few labelled samples of its own. Its personal student is tested on the user's own data
(:mod:`edgestill.jobs.benchmarks.sfd.people` says which these are).
"""

from edgestill.jobs.benchmarks.sfd.measure import measure

__all__ = ["measure"]
