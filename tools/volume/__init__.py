"""Tools for volumes: their slices, other planes, projections, and how much of something there is."""
