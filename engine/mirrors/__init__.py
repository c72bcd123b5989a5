"""Copies runs from their plain files to TensorBoard, MLflow, Visdom and W&B, without JAX."""
