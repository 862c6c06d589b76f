"""What runs inside vLLM's own processes; put on their PYTHONPATH by `agent.serving.server_command`."""
