"""Datasets by name: `'digits'`, `'digits/toy'`. A dataset is built once, and read as arrays from then on.

`load` is the way in. `catalogue` maps a name to its builder, `building` writes records and arrays into the
workspace, `reading` reads the arrays, `checks` and `pages` examine and show a dataset. No module here knows
a dataset by name.
"""
