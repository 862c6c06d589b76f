"""What a training step computes, as pure functions: advantages and losses, an algorithm a file."""
