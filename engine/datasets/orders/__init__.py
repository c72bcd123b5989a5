"""The order of training examples: a pure function of the seed, the step and the batch size."""
