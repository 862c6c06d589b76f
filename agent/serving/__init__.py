"""How a policy is served: immutable checkpoints, a vLLM server that we start and stop, and hot swap between them.

`checkpoint` publishes and finds them, `server` runs one, `swap` exchanges it in the running server, `record` finds a
server that another process started. Nothing heavy is imported until it is used.
"""
