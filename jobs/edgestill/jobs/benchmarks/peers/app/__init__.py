"""The folder of the Flower app that both fleets run, as a user would have it."""
