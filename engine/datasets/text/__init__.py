"""Text as a dataset: vocabularies, and the dataset `text:<file>`."""
