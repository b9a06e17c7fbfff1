"""Static students: a table of token vectors."""
