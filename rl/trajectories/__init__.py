"""Trajectories: finished episodes as plain data, checked, kept, read back and chosen from."""
