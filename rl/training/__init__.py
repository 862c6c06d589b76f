"""Training: the stages of a run, supervised warm-up, reinforcement learning, publishing, and checks before all that."""
