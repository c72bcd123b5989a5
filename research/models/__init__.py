"""Models: Flax modules, one family per file."""
