"""Reads runs from their plain files, without JAX."""
