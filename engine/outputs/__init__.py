"""The outputs format: predictions as plain files."""
