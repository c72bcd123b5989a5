"""Images in any folder as a dataset: how they are arranged, what is taken and what is left out."""
