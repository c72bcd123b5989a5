"""Predictions of a trained model, saved as outputs."""
