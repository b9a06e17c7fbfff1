"""Tasks: what a model is tried at. Each observes one row an item, so that models compare in pairs."""
