"""Benchmarks as jobs: each prints its claims and writes them as JSON."""
