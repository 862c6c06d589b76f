"""How a policy speaks and is served: turn protocol, token ledger, policies, hot swap, the nodes of one turn.

Importing this package makes torchvision importable where pip has paired a CUDA build of it with a CPU build of torch
(see agent/serving/cpu/README.md); it imports neither.
"""

from agent.serving.cpu.torchvision_operators import prepare as _let_torchvision_load

_let_torchvision_load()
