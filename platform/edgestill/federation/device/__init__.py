"""What runs on a device: its part in a round, alone or beside others."""
