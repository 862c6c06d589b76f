"""Phantoms of four modalities, any size and difficulty; rl/tasks/sets/phantoms_plus.py asks about them."""
