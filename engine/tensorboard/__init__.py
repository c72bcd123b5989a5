"""The format of the files that TensorBoard reads."""
