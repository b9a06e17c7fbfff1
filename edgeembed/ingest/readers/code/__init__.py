"""Source code by its structure: a passage for each function, with the class that it is in."""
