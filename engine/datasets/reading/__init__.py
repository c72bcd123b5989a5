"""Datasets as training sees them."""
