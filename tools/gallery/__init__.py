"""The tools as people see them: a sample image and call for each, the contact sheet, docs/tools.md."""
