"""Builders of datasets, and the code that writes their records, lists and arrays into the workspace."""
