"""Parts of the page that shows a dataset: markup, charts, pictures, and a section for each kind of field."""
