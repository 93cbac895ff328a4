"""What a request says beside its frame: names of headers, the same at both ends."""

INPUTS_HEADER = "Edgestill-Inputs"
"""How many inputs the sender has looked at that no answered request told of, this one included."""

DEADLINE_HEADER = "Edgestill-Deadline-Ms"
"""How many milliseconds after this request an answer is of no more use."""

MOST_INPUTS = 1_000_000
"""Inputs that one request may tell of; more is taken for a mistake and counts as one."""

LONGEST_DEADLINE_MS = 600_000
"""No request waits longer, whatever it says."""
