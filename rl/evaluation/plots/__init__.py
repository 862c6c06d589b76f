"""Pictures of an evaluation and of a training, in one style."""
