"""Reads command lines as OpenRLHF does and prints what it makes of each as JSON. Nothing is trained.

The command line and its checks stand in the `if __name__ == "__main__"` block of openrlhf/cli/train_ppo_ray.py, which
ends in `train(args)`. That block is run as it is, in its own module, with a `train` that only notes its arguments.
Standard input holds a JSON list of command lines; the last line of standard output is a JSON list of what was
understood: `{"arguments": ...}` or `{"refused": status, "said": ...}`.
"""

import ast
import contextlib
import importlib
import inspect
import io
import json
import sys
from typing import Any

module: Any = importlib.import_module("openrlhf.cli.train_ppo_ray")
blocks = [node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.If)]
(main,) = [block for block in blocks if "__main__" in ast.unparse(block.test)]
code = compile(ast.Module(main.body, type_ignores=[]), module.__file__, "exec")


def plain(value: Any) -> Any:
    """Namespaces as objects."""
    return {name: plain(each) for name, each in vars(value).items()} if hasattr(value, "__dict__") else value


def understand(line: list[str]) -> dict[str, Any]:
    """What OpenRLHF would train with."""
    trained: list[Any] = []
    module.train = trained.append
    sys.argv = ["train_ppo_ray", *line]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            exec(code, vars(module))
    except SystemExit as status:
        return {"refused": status.code, "said": said.getvalue()}
    return {"arguments": plain(trained[0])}


print(json.dumps([understand(line) for line in json.load(sys.stdin)], default=str))
