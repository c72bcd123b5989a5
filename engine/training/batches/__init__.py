"""Batches: a pure function of seed, step and batch size."""
