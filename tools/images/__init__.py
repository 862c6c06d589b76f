"""Medical images: loading, identity by content, provenance, and the store that keeps each image once."""
