"""Learned models as tools, each behind a package and weights that the user provides; nothing is downloaded."""
