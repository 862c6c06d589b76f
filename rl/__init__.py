"""The gym: tasks, graders, rewards, rollouts, trajectories, evaluation and training; `python -m rl.train`."""
