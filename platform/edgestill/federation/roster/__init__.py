"""Who the devices are, and who is asked in a round."""
