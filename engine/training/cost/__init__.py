"""What a training step costs: operations, memory and collectives of its program; traces of its time."""
