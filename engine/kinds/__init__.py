"""The kinds of outputs, a folder each."""
