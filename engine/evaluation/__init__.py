"""Offline evaluation of saved outputs: needs neither the model nor the framework that trained it."""
