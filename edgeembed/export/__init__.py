"""Export: what is in an index, as files that other tools read."""
