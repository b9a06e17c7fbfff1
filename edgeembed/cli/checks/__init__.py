"""Commands that say what is there and whether it is sound."""
