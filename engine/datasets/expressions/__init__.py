"""What stands for a dataset in a config: a name, an expression over datasets, or None."""
