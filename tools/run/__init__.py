"""What is put around a tool call: one wrapper a file. `tools/run/wrapper.py` says what a wrapper is."""
