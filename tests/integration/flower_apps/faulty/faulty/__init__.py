"""Clients that misbehave."""
