"""The research: models and tasks are yours, the engine trains them, the evaluator judges them."""
