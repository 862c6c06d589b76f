"""Python imports this file at the start of a process that has this folder on PYTHONPATH. See README.md beside it."""

import importlib

importlib.import_module("torchvision_operators").prepare()
