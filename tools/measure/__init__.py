"""Tools that measure; in millimetres only where the image carries its spacing."""
