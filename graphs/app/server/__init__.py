"""What LangGraph's own server (`langgraph dev`) loads by langgraph.json: graphs, threads, a way for images."""
