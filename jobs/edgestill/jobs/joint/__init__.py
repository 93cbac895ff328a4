"""A model for joint inference: trained from a configuration, or made of a run of the fleet."""
