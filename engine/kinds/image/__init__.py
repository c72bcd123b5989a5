"""Outputs of kind `image`."""
