"""Personal students beside the global one, each tested on what its own device has held out."""

from edgestill.federation.personal.evaluation import evaluate_personally

__all__ = ["evaluate_personally"]
