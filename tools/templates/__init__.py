"""What `python -m tools new NAME` copies: a tool and its test. Real code, checked like all code, and never loaded."""
