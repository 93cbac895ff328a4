"""Composition roots: the command line, and what is submitted to a cluster."""
