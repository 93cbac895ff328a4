"""The live page of a run: what it shows, and how."""
