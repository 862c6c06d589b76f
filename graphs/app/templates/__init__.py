"""What `python -m graphs new NAME` copies: a graph and its test. Real code, checked like all code."""
