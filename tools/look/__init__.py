"""Tools that show a part of an image, or several parts together."""
