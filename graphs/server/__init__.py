"""What LangGraph's own server (`langgraph dev`) loads by langgraph.json: the graphs, the threads, and a way for images."""
