"""What every source of a model is made of."""
