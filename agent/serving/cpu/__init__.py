"""What a process of the CPU build of vLLM needs changed; put on its PYTHONPATH by `agent.serving.server_command`."""
