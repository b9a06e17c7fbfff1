"""What a recipe is tried on, and the budget that it has to meet."""
