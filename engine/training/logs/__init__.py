"""The metrics of a training on their way from the device to the logs."""
