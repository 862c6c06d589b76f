"""Python imports this file at the start of a process that has this folder on PYTHONPATH. See README.md beside it."""

import importlib

for change in ("torchvision_operators", "confinement"):
    importlib.import_module(change).prepare()
importlib.import_module("after_import").watch(importlib.import_module("changes").CHANGES)
