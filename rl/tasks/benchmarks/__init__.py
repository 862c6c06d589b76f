"""What the published benchmarks share: items in one form, their splits and graders, and their ways into memory."""
