"""Rewards: named components, one a file; rl/rewards/registry.py says what each keeps to."""
