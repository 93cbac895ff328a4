"""Rounds with a common start: what is sent to whom, and until when an answer counts."""
