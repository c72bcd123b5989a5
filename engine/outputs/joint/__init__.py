"""Several outputs of the same examples: whether they match, and what they predict together."""
