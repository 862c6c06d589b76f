"""The table's columns, one a file: what it proves is its docstring, `prove(case)` proves it (rl/features/case.py)."""
