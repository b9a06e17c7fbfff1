"""Tasks: a data set and a score each; one row of numbers per item, so that models are paired."""
