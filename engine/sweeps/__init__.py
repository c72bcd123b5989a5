"""Sweeps: many runs of one config, trained by any number of workers that share a folder."""
