"""Trainers: each takes a checkpoint, prompts and a rollout function, and gives saved checkpoints."""
