"""Python imports this file at the start of a process that has this folder on PYTHONPATH. See README.md beside it."""

import importlib

for change in ("torchvision_operators", "whole_pictures", "confinement"):
    importlib.import_module(change).prepare()
