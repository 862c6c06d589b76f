"""What runs a graph: the command line, questions, connections to a server, threads, and the adapters of any schema."""
