"""The runs of a workspace as a table, found and read from plain files, without JAX and without pandas."""
