"""Trees of arrays on disk, read by the paths of their arrays: a single file, or a folder by Orbax."""
