"""Export: the contents of an index as files that other tools read."""
