"""Builders: what writes a dataset into the workspace."""
