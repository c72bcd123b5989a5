"""Outputs of kind `detection`."""
