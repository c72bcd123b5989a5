"""Images and masks of varying size in outputs: a PNG file for each example, decoded when it is needed."""
