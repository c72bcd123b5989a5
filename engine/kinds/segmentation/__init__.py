"""Outputs of kind `segmentation`."""
