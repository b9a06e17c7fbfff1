"""Runner: models on tasks, confidence intervals, cached observations, and the verdict."""
