"""Static students: tables of token vectors."""
