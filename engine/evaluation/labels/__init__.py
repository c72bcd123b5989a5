"""Labels from a file beside the outputs."""
