"""Serving: ours beside a plain FastAPI endpoint and Ray Serve, over links, killed and harassed.

Its processes import single modules of it, so this one imports nothing.
"""
