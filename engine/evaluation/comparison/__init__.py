"""Several methods beside each other."""
