"""`python -m rl.new KIND NAME` writes the file and the test of something new for training (docs/adding.md)."""
