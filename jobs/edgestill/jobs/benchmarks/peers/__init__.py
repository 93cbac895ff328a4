"""The other sides of a contest: what they are to do, how they are started, and whose turn it is."""
