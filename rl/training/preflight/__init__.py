"""Everything that a run needs, looked at before its first stage: an hour of warm-up must not end at a misspelt tool.

One room a question: are the names known (names.py), can the tasks be used (tasks.py), do splits share an image
(leaks.py), does the graph run and ask its policy (graph.py), do calls and prompts fit (tokens.py), is there room in
memory and on disk (room.py), may the folder be written (folder.py). check.py asks them all, and every fault is told at
once.
"""
