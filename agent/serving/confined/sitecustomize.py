"""Python imports this file as a process starts that has this folder on PYTHONPATH. See `__init__.py` beside it."""

import importlib

importlib.import_module("confinement").prepare()
