"""Whether two outputs folders are equal."""
