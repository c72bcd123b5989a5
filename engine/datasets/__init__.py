"""Datasets by name: `'digits'`, `'digits/toy'`. Built on first use, read as arrays ever after.

`catalogue` finds the builder of a name, `building` writes what it makes into the workspace, `dataset` reads
it. Nothing here knows a dataset by name.
"""
