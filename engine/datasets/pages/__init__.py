"""The page that shows a dataset. Each kind of field has a section."""
