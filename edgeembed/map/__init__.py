"""Map: an image of an index in two dimensions."""
