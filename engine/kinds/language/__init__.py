"""Outputs of kind `language`."""
