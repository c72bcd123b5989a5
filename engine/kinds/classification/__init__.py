"""Outputs of kind `classification`."""
