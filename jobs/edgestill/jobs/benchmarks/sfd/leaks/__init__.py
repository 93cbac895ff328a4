"""What a server can make of what leaves a device.

A picture or a sound again (inversion), whether a sample was there (membership), what kind of user
it is (attributes).
"""

from edgestill.jobs.benchmarks.sfd.leaks.attack import Attack, Leaks, measure_leaks
from edgestill.jobs.benchmarks.sfd.leaks.told import leak_charts, leak_tables, leaks_of

__all__ = ["Attack", "Leaks", "leak_charts", "leak_tables", "leaks_of", "measure_leaks"]
