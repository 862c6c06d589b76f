"""What graphs share: their state, what readers tell each other, and what is said while they work."""
