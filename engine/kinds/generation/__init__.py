"""Outputs of kind `generation`."""
