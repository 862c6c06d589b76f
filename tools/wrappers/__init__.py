"""What is put around a tool call: one wrapper a file. `tools/wrappers/contract.py` says what a wrapper is."""
