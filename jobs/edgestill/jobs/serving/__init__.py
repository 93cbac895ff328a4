"""Serving a joint model on Ray, and asking it from a device."""
