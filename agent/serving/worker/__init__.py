"""What runs inside vLLM's worker processes; put on their PYTHONPATH by `agent.serving.launch`."""
