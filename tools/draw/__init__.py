"""Tools that draw on a copy of an image."""
