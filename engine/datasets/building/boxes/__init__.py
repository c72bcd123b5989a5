"""Boxes of varying number in datasets, padded, because all examples of a batch have one shape."""
