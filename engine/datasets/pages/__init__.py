"""The page that shows a dataset: a section for each kind of field."""
