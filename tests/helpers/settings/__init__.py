"""Settings of models: ordinary ones, and changed ones."""
