"""Rounds without a common start: buffered aggregation on the virtual clock."""
