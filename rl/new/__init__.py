"""`python -m rl.new KIND NAME`: the file and the test of a task set, reward, grader or family (docs/adding.md)."""
