"""LangGraph state machines made of the agent's nodes, one graph a file, and the command line that runs one."""
