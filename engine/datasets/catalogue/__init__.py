"""The datasets that exist: their names, their builders, their README files."""
