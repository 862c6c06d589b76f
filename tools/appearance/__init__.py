"""Tools that show the same part of an image otherwise: greys, contrast, colour."""
