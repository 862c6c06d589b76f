"""What a run came to: metrics of its trajectories, pictures of its training, and a page to read."""
