"""Tasks: what a model is tried at; one row of numbers an item, so that models compare by item."""
