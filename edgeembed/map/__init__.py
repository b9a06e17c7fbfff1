"""Map: a picture of an index in two dimensions."""
