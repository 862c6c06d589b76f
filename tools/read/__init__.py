"""Tools that tell what is written: in the pixels, and about them in the file (never who the patient is)."""
