"""What `python -m rl.new` copies. Real code, checked like all code."""
